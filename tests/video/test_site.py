"""The keys of a site's file: the documentation lists each of them, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headcount.core.settings import Settings
from headcount.video.site import (
    AlertSettings,
    CalibrationSettings,
    CameraSettings,
    LineSettings,
    OutputSettings,
    PrivacySettings,
    Site,
    ZoneSettings,
)

GUIDE = Path(__file__).parents[2] / "docs" / "watch.md"


@pytest.mark.parametrize(
    ("title", "kinds"),
    [
        ("## Every key", [Site]),
        ("**A camera**", [CameraSettings]),
        ("**A calibration**", [CalibrationSettings]),
        ("**A zone**", [ZoneSettings, LineSettings]),
        ("**A ladder**", [AlertSettings]),
        ("**Who is told**", [OutputSettings]),
        ("**What is hidden**", [PrivacySettings]),
    ],
)
def test_the_guide_lists_every_key_and_no_other(title: str, kinds: list[type[Settings]]) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    table = re.split(r"\n\*\*", text[text.index("## Every key") :].partition(title)[2])[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    told = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert told == {key for kind in kinds for key in kind.model_fields}


@pytest.mark.parametrize("sign", ["\0", "\x1b", "\x9b", "\u202e", "\u2028"])
def test_names_with_signs_that_are_not_shown_are_refused(sign: str) -> None:
    with pytest.raises(ValueError, match="letters that can be shown"):
        Site.model_validate({"name": f"hall{sign}a", "cameras": [{"name": "door", "source": "a.mp4"}]})
    assert Site.model_validate({"name": "می\u200cروند 集合", "cameras": [{"name": "door", "source": "a.mp4"}]})


@pytest.mark.parametrize("prefix", ["a\r\nb", "a/#", "+/a", " a", "a\0", "a" * 201, ""])
def test_beginnings_of_topics_that_no_broker_takes_are_refused(prefix: str) -> None:
    camera = {"name": "door", "source": "a.mp4"}

    def site(**changes: str) -> Site:
        outputs = {"mqtt": {"url": "mqtt://127.0.0.1", **changes}}
        return Site.model_validate({"name": "hall", "cameras": [camera], "outputs": outputs})

    with pytest.raises(ValueError, match="prefix"):
        site(prefix=prefix)
    assert site(prefix="town/hall 集合", discovery="")
