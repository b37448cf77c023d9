"""Manifests: what each kind names, in which order, and what is left out."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from headcount.core.errors import InputError
from headcount.core.notes import Note, Skipped
from headcount.data.manifests.entries import Entry, ManifestOptions
from headcount.data.manifests.table import MANIFESTS, expand_braces, kind_of_source, read_manifests
from headcount.infer.job import find_sources

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def entries(*sources: str | Path, column: str = "", recursive: bool = False) -> list[Entry]:
    options = ManifestOptions(recursive=recursive, column=column)
    return [each for each in read_manifests([str(one) for one in sources], options) if isinstance(each, Entry)]


def told(*sources: str | Path) -> list[Note | Skipped]:
    return [each for each in read_manifests([str(one) for one in sources]) if not isinstance(each, Entry)]


def names(found: list[Entry]) -> list[str]:
    return [Path(entry.address).name for entry in found]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Names alone: no manifest opens an image."""
    for name in ("10.jpg", "2.jpg", "b c.png", "film.mp4", "notes.txt", ".hidden.jpg"):
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"x")
    (tmp_path / "in" / "deeper").mkdir()
    (tmp_path / "in" / "deeper" / "1.jpg").write_bytes(b"x")
    return tmp_path / "in"


@pytest.mark.parametrize("recursive", [False, True])
def test_folders_and_patterns_are_what_a_plain_count_takes(folder: Path, recursive: bool) -> None:
    for source in (folder, folder / "*.jpg", folder / "*"):
        plain = find_sources([str(source)], recursive=recursive)
        found = entries(source, recursive=recursive)
        assert [entry.address for entry in found] == [str(file.path) for file in plain.files]


def test_what_is_left_aside_is_told(folder: Path) -> None:
    (note,) = told(folder)
    assert "1 video (film.mp4)" in note.text
    assert "1 hidden file (.hidden.jpg)" in note.text


def test_a_list_means_what_it_means_to_a_plain_count(folder: Path) -> None:
    (folder / "list.txt").write_text('# a comment\n10.jpg\n\n"b c.png"\ndeeper\nfilm.mp4\n', encoding="utf-8")
    found = entries(folder / "list.txt")
    assert names(found) == ["10.jpg", "b c.png", "1.jpg", "film.mp4"]
    assert [entry.address for entry in found] == [
        str(file.path) for file in find_sources([str(folder / "list.txt")]).files
    ]


def test_a_line_that_leads_nowhere_is_an_entry_of_its_own(folder: Path) -> None:
    (folder / "list.txt").write_text("2.jpg\ngone.jpg\n10.jpg\n", encoding="utf-8")
    assert names(entries(folder / "list.txt")) == ["2.jpg", "gone.jpg", "10.jpg"]


@pytest.mark.parametrize("column", ["address", "path", "image", "url"])
def test_tables_of_every_kind_give_their_rows_in_order(folder: Path, column: str) -> None:
    rows = ["2.jpg", "s3://bucket/a.jpg", "gone.jpg", "10.jpg"]
    wanted = [str(folder / "2.jpg"), "s3://bucket/a.jpg", str(folder / "gone.jpg"), str(folder / "10.jpg")]
    (folder / "t.csv").write_text(f"id,{column}\n" + "".join(f"7,{row}\n" for row in rows), encoding="utf-8-sig")
    (folder / "t.tsv").write_text(f"id\t{column}\n" + "".join(f"7\t{row}\n" for row in rows), encoding="utf-16")
    (folder / "t.jsonl").write_text("".join(json.dumps({column: row}) + "\n" for row in rows), encoding="utf-8")
    pq.write_table(pa.table({"id": range(4), column: rows}), folder / "t.parquet")
    for kind in ("csv", "tsv", "jsonl", "parquet"):
        assert [entry.address for entry in entries(folder / f"t.{kind}")] == wanted, kind


def test_another_column_is_named(folder: Path) -> None:
    (folder / "t.csv").write_text("photo,path\n2.jpg,10.jpg\n", encoding="utf-8")
    assert names(entries(folder / "t.csv", column="photo")) == ["2.jpg"]
    with pytest.raises(InputError, match=r'has no column "foto".* Did you mean "photo"'):
        entries(folder / "t.csv", column="foto")
    (folder / "u.csv").write_text("photo\n2.jpg\n", encoding="utf-8")
    with pytest.raises(InputError, match="none of the columns address, path, image, url") as caught:
        entries(folder / "u.csv")
    assert caught.value.remedy == "column"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.csv", b"", "none of the columns"),
        ("t.csv", b"path\n\xff\xfe\n", "is no text"),
        ("t.jsonl", b'{"path": "a.jpg"\n', "line 1: this is no JSON"),
        ("t.jsonl", b"[" * 100_000 + b"\n", "line 1: this is no JSON"),
        ("t.parquet", b"PAR1 and no more PAR1", "is no Parquet file"),
        ("t.tar", b"no tar at all" * 100, "no plain tar"),
        ("t.txt", b"\n# nothing\n", "names nothing to count"),
    ],
)
def test_a_damaged_manifest_is_refused_in_a_sentence(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        entries(tmp_path / name)
    assert name in caught.value.message
    assert "\n" not in caught.value.message


def test_a_row_without_a_path_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,path\n1,a.jpg\n2,\n3\n4,b.jpg\n", encoding="utf-8")
    assert names(entries(tmp_path / "t.csv")) == ["a.jpg", "b.jpg"]
    assert ["line 3" in told(tmp_path / "t.csv")[0].text, "line 4" in told(tmp_path / "t.csv")[1].text] == [True] * 2


def test_of_several_sources_one_that_gives_nothing_is_told(folder: Path) -> None:
    found = list(read_manifests([str(folder / "gone"), str(folder / "2.jpg")]))
    assert [type(each) for each in found] == [Skipped, Entry]
    with pytest.raises(InputError, match="There is no file or folder"):
        list(read_manifests([str(folder / "gone")]))


def test_braces_stand_for_several_sources(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"t-{number:03d}.csv").write_text(f"path\n{number}.jpg\n", encoding="utf-8")
    assert names(entries(tmp_path / "t-{000..002}.csv")) == ["0.jpg", "1.jpg", "2.jpg"]
    assert list(expand_braces("{a,b}-{1..2}")) == ["a-1", "a-2", "b-1", "b-2"]
    assert list(expand_braces("{a}")) == ["{a}"]
    with pytest.raises(InputError, match="more than 1,000,000 sources"):
        list(expand_braces("{0..999999999}"))


def test_every_kind_is_a_row_of_the_table(tmp_path: Path) -> None:
    assert list(MANIFESTS) == ["list", "csv", "jsonl", "parquet", "webdataset", "files"]
    kinds = {name: kind_of_source(name).name for name in ("a.txt", "s3://b/a.csv", "a.tar", "a.jpg", "*.csv")}
    assert kinds == {"a.txt": "list", "s3://b/a.csv": "csv", "a.tar": "webdataset", "a.jpg": "files", "*.csv": "files"}
    (tmp_path / "folder.csv").mkdir()
    assert kind_of_source(str(tmp_path / "folder.csv")).name == "files"


def test_a_parquet_table_that_grows_without_measure_is_refused(tmp_path: Path) -> None:
    same = pa.DictionaryArray.from_arrays(pa.array([0] * 3000), pa.array(["a" * 2**20]))
    table = pa.table({"path": same})
    pq.write_table(table, tmp_path / "a.parquet", store_schema=False, dictionary_pagesize_limit=2**22)
    with pytest.raises(InputError, match="a text of 1,048,576 letters"):
        entries(tmp_path / "a.parquet")
    once = pa.table({"path": ["a" * 2**28 + "b"]})
    pq.write_table(once, tmp_path / "b.parquet", compression="zstd", use_dictionary=False, write_statistics=False)
    with pytest.raises(InputError, match="when it is read: write the table again"):
        entries(tmp_path / "b.parquet")


def test_a_parquet_table_may_say_the_same_path_again_and_again(tmp_path: Path) -> None:
    paths = ["a.jpg", "b.jpg"] * 5000 + ["c.jpg"]
    pq.write_table(pa.table({"path": paths}), tmp_path / "t.parquet", row_group_size=3000)
    assert names(entries(tmp_path / "t.parquet")) == paths


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "txt"])
def test_a_long_table_is_read_in_little_memory(tmp_path: Path, suffix: str) -> None:
    number = 100_000 if suffix == "csv" else 20_000
    path = tmp_path / f"t.{suffix}"
    rows = (f"s3://bucket/folder/image-{index:09d}.jpg" for index in range(number))
    if suffix == "parquet":
        pq.write_table(pa.table({"path": list(rows)}), path, row_group_size=4096)
    else:
        lines = (row if suffix in ("csv", "txt") else json.dumps({"path": row}) for row in rows)
        path.write_text("path\n" * (suffix == "csv") + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    tracemalloc.start()
    found = sum(1 for _ in read_manifests([str(path)]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == number
    assert peak < 4 * 2**20
