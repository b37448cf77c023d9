"""The pinned versions against the known vulnerabilities, by pip-audit.

``python -m supply.audit [--osv ADDRESS]``. PyPI's own list is asked first, then OSV. A package that neither knew, or a
list that could not be reached, is no pass: it is said, and the exit code is 1. What is known and accepted stands in
``supply/accepted.toml``, each with a reason and the day until which that holds.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from supply.pins import pins_of
from supply.wheel import ROOT

CONSTRAINTS = ("base.txt", "dev.txt")
ACCEPTED = ROOT / "supply" / "accepted.toml"

Ask = Callable[[dict[str, str]], "Answer"]
"""Name → version in, what a list knows of them out."""


class AuditError(Exception):
    """The file of what is accepted is wrong, or its day is over; one sentence."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A known vulnerability of a pinned version; ``fixed_in`` are the versions that mend it."""

    package: str
    version: str
    name: str
    aliases: tuple[str, ...] = ()
    fixed_in: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """One line about it."""
        mended = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no version mends it yet"
        return f"{self.package} {self.version}: {self.name} ({mended})"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a list said: the packages that it knew, and what is known against their versions."""

    known: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()
    failure: str = ""


@dataclass(slots=True)
class Audit:
    """What all lists together said."""

    checked: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


def audit(pins: Sequence[dict[str, str]], services: dict[str, Ask]) -> Audit:
    """Ask the services one after the other, each for what those before it did not know.

    A service that knows none of the first group is not asked about the others: it cannot be reached.
    """
    found = Audit()
    for name, ask in services.items():
        for group in pins:
            left = {package: version for package, version in group.items() if package not in found.checked}
            if not left:
                continue
            answer = ask(left)
            found.checked |= answer.known
            found.findings += answer.findings
            if not answer.known:
                found.failures[name] = answer.failure or "it knows none of the packages"
                break
    return found


def accepted(path: Path, today: datetime.date) -> dict[str, str]:
    """Name of a vulnerability → the package that it is accepted of.

    Raises:
        AuditError: an entry lacks its reason or its day, or the day is over.
    """
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("accepted", [])
    names = {}
    for entry in entries:
        if set(entry) != {"id", "package", "reason", "until"} or not str(entry["reason"]).strip():
            raise AuditError(f"An entry of {path.name} has id, package, reason and until, but here {sorted(entry)}.")
        if not isinstance(entry["until"], datetime.date):
            raise AuditError(f'"until" of {entry["id"]} in {path.name} must be a date, such as 2027-01-31.')
        if entry["until"] < today:
            raise AuditError(f"{entry['id']} of {entry['package']} was accepted until {entry['until']}: look again.")
        names[entry["id"]] = canonicalize_name(entry["package"])
    return names


def pip_audit(service: str, address: str = "") -> Ask:
    """What asks a service of pip-audit: ``pypi`` or ``osv``, the latter at another address where one is given."""

    def ask(pins: dict[str, str]) -> Answer:
        with tempfile.TemporaryDirectory(prefix="headcount-audit-") as folder:
            path = Path(folder) / "pins.txt"
            path.write_text("".join(f"{name}=={version}\n" for name, version in pins.items()), encoding="utf-8")
            options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json", "--timeout", "30"]
            there = ["--osv-url", address] if address else []
            done = subprocess.run(
                [sys.executable, "-m", "pip_audit", "-r", path, *options, "-s", service, *there],
                capture_output=True, text=True, check=False, timeout=1800,
            )  # fmt: skip
        return read_answer(done.stdout, done.stderr)

    return ask


def read_answer(text: str, error: str = "") -> Answer:
    """pip-audit's JSON. A package that it skipped is not known, though pip-audit itself calls that a success."""
    try:
        entries: list[dict[str, Any]] = json.loads(text)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (error.strip().splitlines() or ["it said nothing"])[-1]
        return Answer(failure="it cannot be reached" if "ConnectionError" in last else last[:200])
    known = [entry for entry in entries if "skip_reason" not in entry]
    findings = tuple(
        Finding(
            package=canonicalize_name(entry["name"]), version=entry["version"], name=fault["id"],
            aliases=tuple(fault.get("aliases", ())), fixed_in=tuple(fault.get("fix_versions", ())),
        )
        for entry in known
        for fault in entry["vulns"]
    )  # fmt: skip
    return Answer(frozenset(canonicalize_name(entry["name"]) for entry in known), findings)


def told(found: Audit, all_pins: dict[str, str], names: dict[str, str]) -> tuple[list[str], bool]:
    """The lines to print, and whether all is well; ``names`` is what ``accepted`` gives."""

    def is_accepted(one: Finding) -> bool:
        return any(names.get(name) == one.package for name in (one.name, *one.aliases))

    lines, left = [], sorted(all_pins.keys() - found.checked)
    faults = sorted({one.text for one in found.findings if not is_accepted(one)})
    lines += faults
    lines += sorted({f"accepted: {one.text}" for one in found.findings if is_accepted(one)})
    if left:
        lines += [f"{service} could not be asked: {why}." for service, why in found.failures.items()]
        which = (
            "No pinned version" if len(left) == len(all_pins) else f"Not every pinned version (not {', '.join(left)})"
        )
        lines.append(f"{which} was checked: run this again where a list of vulnerabilities can be reached.")
    lines.append(f"{len(all_pins) - len(left)} of {len(all_pins)} pinned versions checked, {len(faults)} known faults")
    return lines, not left and not faults


def main() -> int:
    """Check, and print what was found; 1 where anything is known or unchecked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--osv", default="", metavar="ADDRESS", help="a mirror of OSV to ask in its place")
    address = parser.parse_args().osv
    try:
        names = accepted(ACCEPTED, datetime.datetime.now(datetime.UTC).date())
    except AuditError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    pins = [pins_of(ROOT / "constraints" / name) for name in CONSTRAINTS]
    services = {"PyPI's list": pip_audit("pypi"), "OSV": pip_audit("osv", address)}
    if address:
        services.pop("PyPI's list")
    lines, good = told(audit(pins, services), {**pins[0], **pins[1]}, names)
    print("\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
