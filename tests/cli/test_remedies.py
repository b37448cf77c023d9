"""What would help is told in the flag of the command that ran, and of no other."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from headcount.cli.remedies import in_flags
from headcount.core.errors import InputError

RunCli = Callable[..., tuple[int, str, str]]


def command(*names: str) -> SimpleNamespace:
    flags = {name: ["-x", f"--{name.replace('_', '-')}"] for name in names}
    arguments = [SimpleNamespace(name="output", opts=["output"])]
    return SimpleNamespace(params=[*arguments, *(SimpleNamespace(name=name, opts=flags[name]) for name in flags)])


@pytest.mark.parametrize(
    ("text", "remedy", "told"),
    [
        ("", "", ""),
        ("No.", "", "No."),
        ("No.", "unknown", "No."),
        (
            '"x.csv" exists already: choose another name.',
            "overwrite",
            '"x.csv" exists already: choose another name, or overwrite it with --force.',
        ),
        ("it is large: shrink it", "max_pixels", "it is large: shrink it, or raise the limit with --max-pixels"),
        ("choose another name.", "output", "choose another name."),  # an argument here, and no flag
        ('choose "cpu".', "device", 'choose "cpu".'),  # no option of this command
    ],
)
def test_the_sentence_ends_in_the_flag(text: str, remedy: str, told: str) -> None:
    assert in_flags(text, remedy, command("force", "max_pixels")) == told


@pytest.mark.parametrize(
    "remedy",
    ["overwrite", "max_pixels", "split", "copy_images", "share", "resume", "accept", "device", "runtime", "draw"],
)
def test_every_remedy_has_words(remedy: str) -> None:
    name = "force" if remedy == "overwrite" else remedy
    told = in_flags("Do this.", remedy, command(name))
    assert told.startswith("Do this")
    assert told.endswith(".")
    assert f"--{name.replace('_', '-')}" in told


@pytest.mark.parametrize(
    "remedy", ["check", "estimate", "export", "models", "import", "import_backbone", "train_sizes"]
)
def test_other_commands_are_named_by_every_command(remedy: str) -> None:
    told = in_flags("Do this.", remedy, command())
    assert told.startswith('Do this ("headcount ')
    assert told.endswith(").")


@pytest.mark.parametrize(
    ("remedy", "told"),
    [
        ("overwrite", "It is there, or pass overwrite=True."),
        ("max_pixels", "It is there, or pass a larger max_pixels=…."),
        ("check", "It is there."),
        ("", "It is there."),
    ],
)
def test_from_python_it_is_told_as_an_argument(remedy: str, told: str) -> None:
    error = InputError("It is there.", remedy=remedy)
    assert (str(error), error.message) == (told, "It is there.")
    assert str(pickle.loads(pickle.dumps(error))) == told


def test_no_argument_of_python_reaches_the_command_line(run_cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.png\n", encoding="utf-8")
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    for source in ("a.png", "list.txt", "."):
        code, _, err = run_cli("count", tmp_path / source, "--max-pixels", 9)
        assert code == 2
        assert "--max-pixels" in err
        assert "max_pixels" not in err
