"""`headcount count SOURCES --output OUT/`: a table in a folder, gone on with whatever happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from headcount.cli.batch import is_batch_output, shard_of
from headcount.core.errors import InputError
from headcount.synth import paint_scene

pa = pytest.importorskip("pyarrow")

from headcount.infer.batch.counting import RowCounter  # noqa: E402
from headcount.infer.batch.parts import results  # noqa: E402
from headcount.infer.batch.settings import BatchSettings  # noqa: E402

pytestmark = pytest.mark.slow
RunCli = Callable[..., tuple[int, str, str]]
_IMAGES = 96
"""Six chunks."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    scenes = [paint_scene(number, size_wh=(96, 64), count=5).pixels() for number in range(4)]
    for number in range(_IMAGES):
        picture = scenes[number % 4].copy()
        picture[0, 0] = number  # no two files are the same
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder


def same_rows(one: pa.Table, other: pa.Table) -> bool:
    return bool(one.drop_columns("seconds").equals(other.drop_columns("seconds")))


def counting(photos: Path, output: Path, *more: object) -> list[str]:
    return [
        sys.executable, "-m", "headcount", "count", str(photos), "--model", "headcount-n", "--output", f"{output}/",
        *map(str, more),
    ]  # fmt: skip


def ended(process: subprocess.Popen[bytes], output: Path, *, how: int, parts: int) -> int:
    """End a run by a signal to its process alone, as soon as so many parts are there."""
    until = time.monotonic() + 120
    while len(list(output.glob("parts/part-*"))) < parts and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(how)
    return process.wait(60)


def test_a_run_that_is_killed_goes_on_and_ends_with_the_same_table(
    photos: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    output = tmp_path / "out"
    for how, parts, code in ((signal.SIGKILL, 1, -signal.SIGKILL), (signal.SIGTERM, 3, 128 + signal.SIGTERM)):
        process = subprocess.Popen(counting(photos, output, "--quiet"), stderr=subprocess.DEVNULL, cwd=tmp_path)
        try:
            assert ended(process, output, how=how, parts=parts) == code
        finally:
            process.kill()
            process.wait()
        assert parts <= len(list(output.glob("parts/part-*"))) < 6
    code, told, problems = run_cli("count", str(photos), "-m", "headcount-n", "-o", f"{output}/")
    assert code == 0, problems
    assert told.startswith(f"{_IMAGES} images: ")
    assert not list(output.rglob("*.partial"))
    found = results(output).to_table()
    assert [Path(address).name for address in found["address"].to_pylist()] == [f"{n}.png" for n in range(_IMAGES)]
    assert same_rows(found, RowCounter(BatchSettings(model="headcount-n"))(found.select(["number", "address"])))


def test_shards_say_when_all_are_complete_and_others_settings_are_refused(
    photos: Path, tmp_path: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.csv").write_text(f"photo\n{photos}/1.png\n{photos}/gone.png\n" +
        "".join(f"{photos}/{n}.png\n" for n in range(2, 20)), encoding="utf-8")  # fmt: skip
    arguments = ("count", "list.csv", "-m", "headcount-n", "-o", "out/", "--column", "photo", "--shards")
    code, told, problems = run_cli(*arguments, "1/2")
    assert code == 1
    assert told.splitlines()[-1] == "shard 1/2 is complete; of others missing: 1 part"
    assert "1 row with an error" in told
    assert problems.startswith("Skipped: There is no file or folder")
    code, told, _ = run_cli(*arguments, "2/2")
    assert told.splitlines()[-1] == "all shards are complete"
    assert len(results(tmp_path / "out").to_table()) == 20
    code, told, problems = run_cli("count", "list.csv", "-m", "headcount-s", "-o", "out/", "--column", "photo")
    assert (code, told) == (2, "")
    assert "the model was headcount-n and is headcount-s" in problems
    code, _, problems = run_cli("count", "list.csv", "-m", "headcount-n", "-o", "new/")
    assert "name the column that holds the paths (--column)" in problems
    assert not (tmp_path / "new").exists()


def test_what_does_not_go_together_is_refused_in_a_sentence(photos: Path, tmp_path: Path) -> None:
    import headcount.cli.count  # noqa: F401  (in this process: no model is opened)
    from headcount.cli.batch import refuse_with_folder, refuse_without_folder

    for given in ({"workers": 2}, {"shards": "1/2"}, {"column": "photo"}):
        with pytest.raises(InputError, match="name one that ends in a slash"):
            refuse_without_folder(**{"workers": None, "shards": None, "column": None, **given})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="--force is for one file"):
        refuse_with_folder(force=True, save_dir=None, draw="auto")
    for given in ({"save_dir": "x", "draw": "auto"}, {"save_dir": None, "draw": "points"}):
        with pytest.raises(InputError, match="Results in a folder have no pictures"):
            refuse_with_folder(force=False, **given)  # type: ignore[arg-type]
    for text in ("0/2", "3/2", "1", "1/0", "a/b", "-1/2"):
        with pytest.raises(InputError, match="--shards takes one of how many"):
            shard_of(text)
    (tmp_path / "there").mkdir()
    outputs = ("out/", str(tmp_path / "there"), "s3://bucket/out/", "out.json", "-", None)
    assert [is_batch_output(output) for output in outputs] == [True, True, True, False, False, False]


def test_a_light_install_names_the_extra(photos: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "import importlib.util as util; real = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'pyarrow' else real(name, *more)\n"
        "from headcount.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "count", str(photos), "--output", "out/"], capture_output=True, text=True,
        cwd=tmp_path, check=False, env={**os.environ},
    )  # fmt: skip
    assert done.returncode == 2
    assert 'A folder of results needs the "batch" extra' in done.stderr
