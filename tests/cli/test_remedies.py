"""What would help is told in the flag of the command that ran, and of no other."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from headcount.cli.remedies import in_flags


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
