"""The fuzzing of the parsers: every reader has a line, its valid files are accepted, each kind of failure is told."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from headcount.core.random import generator
from headcount.data.sets.registry import DATA_SETS

pytestmark = pytest.mark.slow

INPUTS = 8


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("resource", reason="memory is bounded, and processes are forked, on Unix only")
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import fuzzer

    return fuzzer


def test_every_reader_of_the_registry_has_a_line(fuzz: ModuleType) -> None:
    covered = {parser.data_set for parser in fuzz.PARSERS.values()} - {""}
    assert covered <= DATA_SETS.keys()
    # The folds of a set share their reader, and so its line.
    readers = {DATA_SETS[name].row.target for name in covered}
    assert [name for name, each in DATA_SETS.items() if each.row.target not in readers] == []
    assert len(fuzz.PARSERS) >= 45


def test_valid_files_are_accepted_and_damaged_ones_refused_or_read(fuzz: ModuleType, tmp_path: Path) -> None:
    for parser in fuzz.PARSERS.values():
        if parser.needs:  # torch takes longer to load than all of these together
            continue
        folder = tmp_path / parser.name
        folder.mkdir()
        seeds = fuzz.seeds_of(parser, folder)
        for index in range(INPUTS):
            data = fuzz.input_of(parser, seeds, 7, index)
            accepted = fuzz.try_input(parser, folder, data, index)
            assert accepted or index >= len(seeds), (parser.name, index)


@pytest.mark.parametrize("name", ["points-json", "shanghaitech-a", "voc"])
def test_an_input_is_of_seed_parser_and_index_alone(fuzz: ModuleType, tmp_path: Path, name: str) -> None:
    parser = fuzz.PARSERS[name]
    made = []
    for run in ("one", "other"):
        (tmp_path / run).mkdir()
        seeds = fuzz.seeds_of(parser, tmp_path / run)
        made.append([fuzz.input_of(parser, seeds, 3, index) for index in (0, 40, 39, 38)])
        assert fuzz.input_of(parser, seeds, 4, 40) != made[-1][1]
    assert made[0] == made[1]
    assert len({*made[0]}) == 4


def test_anything_can_be_damaged_and_no_damage_is_large(fuzz: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    import mutations

    for data in (b"", b"x", b"1,2\n" * 9):
        for number, each in enumerate(dict.fromkeys(mutations.MUTATIONS)):
            for index in range(5):
                assert isinstance(each(data, b"", generator(1, stream=number, index=index)), bytes)
    monkeypatch.setattr(mutations, "MAX_BYTES", 100)
    assert all(len(fuzz.mutate([b"[" * 100], generator(1, stream=0, index=index))) <= 100 for index in range(100))


@pytest.mark.parametrize(
    ("way", "place", "times"),
    [
        ("nothing", "", 0),
        ("raises", "KeyError at", 4),
        ("loops", "TooSlowError at", 5),
        ("fills", "MemoryError at", 5),
        ("keeps", "memory", 1),
        ("dies", "the process ended with -9", 5),
    ],
)
def test_each_way_to_fail_is_a_finding_and_the_run_goes_on(fuzz: ModuleType, way: str, place: str, times: int) -> None:
    script = Path(__file__).parent / "ways_to_fail.py"
    done = subprocess.run([sys.executable, script, way], capture_output=True, text=True, check=True)
    tried, accepted, found, findings = json.loads(done.stdout)
    assert tried == 5
    assert [name[: len(place)] for name in findings] == [place] * bool(place), findings
    assert found == times
    assert accepted == 5 - (times if place != "memory" else 0)


def test_the_command_keeps_what_it_finds(
    fuzz: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import ways_to_fail

    own, keep = fuzz.Parser("own", "a.txt", ways_to_fail.lay, ways_to_fail.raises), tmp_path / "keep"
    monkeypatch.setitem(fuzz.PARSERS, "own", own)
    monkeypatch.setitem(fuzz.PARSERS, "absent", replace(own, name="absent", needs="no_such_package"))  # type: ignore[type-var]
    assert fuzz.main(["own", "absent", "--inputs", "3", "--keep", str(keep)]) == 1
    out = capsys.readouterr().out
    assert "3 inputs        1 accepted        0 refused   1 findings" in out
    assert "left out: it needs no_such_package" in out
    (kept,) = keep.iterdir()
    assert kept.name == "own-1.txt"
    with pytest.raises(KeyError):
        fuzz.main(["own", "--index", "1", "--keep", str(tmp_path / "again")])
    assert (tmp_path / "again/own-1.txt").read_bytes() == kept.read_bytes()
    assert fuzz.main(["own", "--inputs", "1"]) == 0
    assert fuzz.main(["--list"]) == 0
    assert "shanghaitech-a" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "words"), [(["vok"], 'Did you mean "voc"'), (["--index", "1"], "name it")])
def test_wrong_arguments_are_told(
    fuzz: ModuleType, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    with pytest.raises(SystemExit):
        fuzz.main(arguments)
    assert words in capsys.readouterr().err


def test_guided_inputs_reach_more_than_the_valid_files_and_a_run_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="coverage guides by atheris, which this install lacks")
    script = Path(__file__).parent / "guided.py"
    corpus, sizes, lines = tmp_path / "corpus", [], []
    for _ in range(2):
        command = [
            sys.executable,
            script,
            "points-json",
            "--inputs",
            "100",
            "--corpus",
            corpus,
            "--keep",
            tmp_path / "keep",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        lines.append(done.stdout.splitlines()[0])
        sizes.append(len(list((corpus / "points-json").iterdir())))
    assert " 100 inputs" in lines[0]
    assert " 0 findings" in lines[0]
    assert 1 < sizes[0] <= sizes[1]
    assert all(int(line.split()[-2].replace(",", "")) > 50 for line in lines), lines
    assert not (tmp_path / "keep").exists()


@pytest.mark.parametrize("way", ["raises", "dies"])
def test_what_guided_inputs_find_is_kept(tmp_path: Path, way: str) -> None:
    pytest.importorskip("atheris", reason="coverage guides by atheris, which this install lacks")
    script = Path(__file__).parent / "ways_to_fail.py"
    done = subprocess.run(
        [sys.executable, script, way, "guided"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    tried, _, found, findings = json.loads(done.stdout.splitlines()[-1])
    assert tried == 5
    assert found >= 1
    assert findings[0].startswith("KeyError at" if way == "raises" else "the process ended with -9")


def test_a_report_of_guided_inputs_is_a_line_of_the_table() -> None:
    from tests.fuzz.experiment import result_of_runs

    whole = "voc  5 s   1,200 inputs  3 accepted  1,195 refused   1 findings    397 cov\n"
    told = "  2 × KeyError at a.py:3, first at index 7 (a): KeyError\n"
    end = "seed 0, 1,200 inputs in 5 s, 1 findings\n"
    result = result_of_runs([(whole + told + end, "")])
    assert (result.tried, result.survived, len(result.findings)) == (1200, 1198, 1)
    clean = whole.replace("  1 findings", "  0 findings") + end
    result = result_of_runs([(clean, ""), (clean.replace("voc  5 s", "via  9 s"), "")])
    assert result.holds
    assert result.tried == 2400
    assert "2 parsers, 5 to 9 s each" in result.how
    assert not result_of_runs([(clean, ""), ("", "Killed")]).holds
