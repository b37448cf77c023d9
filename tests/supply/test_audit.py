"""The audit: what is known, what is accepted, and that what nobody could check is no pass."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Supply = Callable[[str], ModuleType]
TODAY = datetime.date(2026, 12, 1)


@pytest.fixture
def audit(supply: Supply) -> ModuleType:
    return supply("audit")


def answer(**packages: object) -> str:
    """pip-audit's JSON: a package is skipped (None), or has faults."""
    entries = []
    for name, faults in packages.items():
        entry: dict[str, object] = {"name": name.replace("_", "-")}
        entries.append({**entry, "skip_reason": "unknown"} if faults is None else {
            **entry, "version": "1.0", "vulns": faults,
        })  # fmt: skip
    return json.dumps({"dependencies": entries})


FAULT = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["1.1"], "description": "…"}


def test_what_pip_audit_skips_is_not_known(audit: ModuleType) -> None:
    found = audit.read_answer(answer(a=[], b=None))
    assert found.known == {"a"}
    assert found.findings == ()


def test_no_answer_is_a_failure(audit: ModuleType) -> None:
    found = audit.read_answer("", "Traceback…\nrequests.exceptions.ConnectionError: no route\n")
    assert not found.known
    assert found.failure == "it cannot be reached"
    assert audit.read_answer("", "").failure == "it said nothing"
    assert audit.read_answer("[]", "odd").failure == "odd"


def test_the_second_list_is_asked_for_what_the_first_did_not_know(audit: ModuleType) -> None:
    asked = []

    def first(pins: dict[str, str]) -> object:
        return audit.read_answer(answer(**{name: None if name == "b" else [] for name in pins}))

    def second(pins: dict[str, str]) -> object:
        asked.append(sorted(pins))
        return audit.read_answer(answer(b=[FAULT]))

    found = audit.audit([{"a": "1.0", "b": "1.0"}, {"a": "1.0", "c": "1.0"}], {"first": first, "second": second})
    assert found.checked == {"a", "b", "c"}
    assert asked == [["b"]]
    assert [one.name for one in found.findings] == ["PYSEC-1"]
    lines, good = audit.told(found, {"a": "1.0", "b": "1.0", "c": "1.0"}, {})
    assert not good
    assert lines[0] == "b 1.0: PYSEC-1 (fixed in 1.1)"
    assert lines[-1] == "3 of 3 pinned versions checked, 1 known faults"


def test_lists_that_cannot_be_reached_are_said_and_never_pass(audit: ModuleType) -> None:
    calls = []

    def silent(pins: dict[str, str]) -> object:
        calls.append(len(pins))
        return audit.read_answer(answer(**dict.fromkeys(pins)))

    found = audit.audit([{"a": "1.0"}, {"b": "1.0", "c": "1.0"}], {"one": silent, "two": silent})
    assert calls == [1, 1]  # the larger group is not asked for in vain
    lines, good = audit.told(found, {"a": "1.0", "b": "1.0", "c": "1.0"}, {})
    assert not good
    assert "one could not be asked: it knows none of the packages." in lines
    assert any(line.startswith("No pinned version was checked") for line in lines)


def test_a_package_that_no_list_knows_is_named(audit: ModuleType) -> None:
    found = audit.audit([{"a": "1.0", "b": "1.0"}], {"one": lambda pins: audit.read_answer(answer(a=[], b=None))})
    lines, good = audit.told(found, {"a": "1.0", "b": "1.0"}, {})
    assert not good
    assert any("(not b)" in line for line in lines)


def test_all_known_and_nothing_against_it_is_well(audit: ModuleType) -> None:
    found = audit.audit([{"a": "1.0"}], {"one": lambda pins: audit.read_answer(answer(a=[]))})
    assert audit.told(found, {"a": "1.0"}, {}) == (["1 of 1 pinned versions checked, 0 known faults"], True)


ENTRY = '[[accepted]]\nid = "CVE-1"\npackage = "A"\nreason = "{reason}"\nuntil = {until}\n'


def test_what_is_accepted_is_told_and_stops_nothing(audit: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "accepted.toml"
    path.write_text(ENTRY.format(reason="not used", until="2026-12-01"), encoding="utf-8")
    names = audit.accepted(path, TODAY)
    found = audit.audit([{"a": "1.0"}], {"one": lambda pins: audit.read_answer(answer(a=[FAULT]))})
    lines, good = audit.told(found, {"a": "1.0"}, names)
    assert good
    assert lines[0] == "accepted: a 1.0: PYSEC-1 (fixed in 1.1)"
    other = audit.audit([{"b": "1.0"}], {"one": lambda pins: audit.read_answer(answer(b=[FAULT]))})
    assert not audit.told(other, {"b": "1.0"}, names)[1]  # of another package it is not


@pytest.mark.parametrize(
    ("reason", "until", "words"),
    [
        ("not used", "2026-11-30", "was accepted until 2026-11-30: look again"),
        (" ", "2027-01-01", "has id, package, reason and until"),
        ("not used", '"soon"', "must be a date"),
    ],
)
def test_each_exception_has_a_reason_and_a_day(
    audit: ModuleType, tmp_path: Path, reason: str, until: str, words: str
) -> None:
    path = tmp_path / "accepted.toml"
    path.write_text(ENTRY.format(reason=reason, until=until), encoding="utf-8")
    with pytest.raises(audit.AuditError, match=words):
        audit.accepted(path, TODAY)


def test_the_file_in_the_repository_can_be_read(audit: ModuleType) -> None:
    assert isinstance(audit.accepted(audit.ACCEPTED, TODAY), dict)


def test_constraints_are_pins_each_package_once_and_alike_in_both(supply: Supply) -> None:
    pins, root = supply("pins"), supply("wheel").ROOT
    base, dev = (pins.pins_of(root / "constraints" / name) for name in ("base.txt", "dev.txt"))
    assert "numpy" in base
    assert base.items() <= dev.items()


def test_a_line_that_pins_nothing_is_refused(supply: Supply, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("# a comment\n\nnumpy>=2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no name==version"):
        supply("pins").pins_of(tmp_path / "c.txt")
