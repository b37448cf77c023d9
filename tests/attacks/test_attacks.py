"""Attack files are as their script makes them, and an attack that does not end as it must is told.

The attacks themselves are given in tests/trust/test_trust.py, some of each kind, and all of them by make trust.
"""

from __future__ import annotations

import importlib
import json
import pickle
from pathlib import Path

import pytest

pytest.importorskip("pty", reason="attacks are given in processes of their own, on a terminal of their own: Unix only")

from tests.attacks import give, make
from tests.attacks.attack import Attack, Told
from tests.attacks.table import ATTACKS


@pytest.mark.slow
def test_the_kept_files_are_those_of_the_script() -> None:
    pytest.importorskip("onnx", reason="one of the files is an ONNX graph")
    pytest.importorskip("pyarrow", reason="one of the files is a Parquet table")
    made = make.files()
    kept = {path.name: path for path in make.FILES.iterdir()}
    assert kept.keys() == made.keys()
    # What zlib makes of zeros is another library's on another system: of those the beginning alone is compared.
    assert [name for name, path in kept.items() if path.read_bytes()[:40] != made[name][:40]] == []
    assert max(path.stat().st_size for path in kept.values()) <= 100_000


def test_every_kept_file_is_given_and_names_are_said_once() -> None:
    given = {kept for attack in ATTACKS for kept in attack.files.values() if not kept.startswith("->")}
    requested = importlib.import_module("tests.attacks.requests")
    given |= {*requested._PICTURES, *requested._SOUND}
    assert {path.name for path in make.FILES.iterdir()} - given == set()
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert len({request.name for request in requested.REQUESTS}) == len(requested.REQUESTS)


def test_the_traps_do_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(("trap.pkl", "trap-4.pkl", "trap-text.pkl")):
        (tmp_path / str(number)).mkdir()
        monkeypatch.chdir(tmp_path / str(number))
        pickle.loads((make.FILES / name).read_bytes())
        assert Path(make.MARK).is_dir()


@pytest.mark.slow
def test_an_attack_that_gets_in_is_told(tmp_path: Path, tiny_model: str) -> None:
    command = ("count", "image.png", "--model", "tiny.onnx")

    def check(folder: Path, told: Told) -> None:
        (folder.parent / make.MARK).mkdir()
        (folder.parent / "outside").touch()
        raise AssertionError("it got in")

    wrong = Attack("one that gets in", command, {"heads.csv": "trap.pkl"}, check=check)
    told = " ".join(give.give(wrong, tmp_path / "one", Path(tiny_model)))
    for words in ("it ended with 0, not 2", "is not said", "not one sentence of error", "it got in"):
        assert words in told
    assert give.run(("count", "image.png"), tmp_path, seconds=0).code == -999


def test_signs_that_steer_are_told_from_styles() -> None:
    assert give.raw_signs("\x1b[1m12\x1b[0m people\r\n\x1b[?25l\x1b[2K") == []
    assert give.raw_signs(make.ESCAPES) != []
    for sign in "\x07\x08\x9b\u202e\u2066\x00":
        assert give.raw_signs(f"a{sign}b") == [ascii(sign)]


def test_tables_say_what_must_happen_in_words_that_can_be_read() -> None:
    for attack in ATTACKS:
        assert attack.must in ("refused", "left out", "read")
        assert attack.must == "read" or attack.pattern
        json.dumps(attack.command)
