"""CycloneDX of the two installs: every package with its version and licence, and the shipped weights.

``python -m supply.sbom [FOLDER]`` writes ``headcount-VERSION-light.cdx.json`` and ``…-train.cdx.json``: what
``constraints/base.txt`` and ``constraints/dev.txt`` name, as it is installed beside this interpreter (``make sbom``).
The same install gives the same bytes: there is no time, no serial number, and no address of a registry or place of
this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply.pins import pins_of
from supply.weights import weights_components
from supply.wheel import ROOT

SPEC = "1.6"
INSTALLS = {"light": "base.txt", "train": "dev.txt"}
"""Install → the constraints that say what is in it."""
_REGISTRY = re.compile(r"pypi|pythonhosted|^file:", re.I)
"""What addresses hold that are left out: those of registries, and places of this machine."""
_UNASKED = ("PYTHONPATH", "SOURCE_DATE_EPOCH")
"""Variables that would change the list: other packages, or a time in it."""

Json = dict[str, Any]


class SbomError(Exception):
    """An install that is not what its constraints say; one sentence."""


def environment() -> Json:
    """What is installed beside this interpreter, as ``cyclonedx-py`` tells it.

    Raises:
        SbomError: it could not tell.
    """
    # It is the raw material of the bills: those are held against the schema, which takes a long time, in their tests.
    command = ("environment", sys.executable, "--output-reproducible", "--spec-version", SPEC, "--of", "JSON",
               "--no-validate")  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "cyclonedx_py", *command], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parent, env={name: value for name, value in os.environ.items() if name not in _UNASKED},
    )  # fmt: skip
    if done.returncode:
        raise SbomError(f"The installed packages could not be listed: {done.stderr.strip()[-2000:]}")
    return dict(json.loads(done.stdout))


def bill(install: str, found: Json, root: Path = ROOT) -> tuple[Json, list[str]]:
    """The bill of an install, and what its constraints name that is not installed here (another system's packages).

    Raises:
        SbomError: a package has another version than the constraints say, or the light install lacks one.
    """
    pins = pins_of(root / "constraints" / INSTALLS[install])
    packages = {canonicalize_name(one["name"]): one for one in found["components"] if one["name"] != "headcount"}
    missing = sorted(pins.keys() - packages.keys())
    if missing and install == "light":
        raise SbomError(f"The light install lacks {', '.join(missing)}: set it up again with make.")
    for name in sorted(pins.keys() & packages.keys()):
        if packages[name]["version"] != pins[name]:
            have, pinned = packages[name]["version"], f"{pins[name]} in constraints/{INSTALLS[install]}"
            raise SbomError(f"{name} is {have} here, but {pinned}: set it up again with make.")
    chosen = {name: _plain(packages[name]) for name in sorted(pins.keys() & packages.keys())}
    weights = weights_components(root / "src" / "headcount" / "weights", version_of(root))
    head = _headcount(root)
    own = sorted(chosen[name]["bom-ref"] for name in _needed(root, install) if name in chosen)
    names = {canonicalize_name(one["name"]): one["bom-ref"] for one in found["components"]}
    kept = {names[name]: chosen[name]["bom-ref"] for name in chosen}
    edges = [{"ref": head["bom-ref"], "dependsOn": [*own, *(one["bom-ref"] for one in weights)]}]
    for edge in found["dependencies"]:
        if edge["ref"] in kept:
            on = sorted(kept[ref] for ref in edge.get("dependsOn", ()) if ref in kept)
            edges.append({"ref": kept[edge["ref"]], **({"dependsOn": on} if on else {})})
    edges += [{"ref": one["bom-ref"]} for one in weights]
    made = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "version": 1,
        "metadata": {"component": head, "tools": {"components": [_tool(found)]}},
        "components": [*chosen.values(), *weights],
        "dependencies": [edges[0], *sorted(edges[1:], key=lambda edge: edge["ref"])],
    }
    return made, missing


def version_of(root: Path = ROOT) -> str:
    """headcount's version, as its source says it."""
    text = (root / "src" / "headcount" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"', text, re.M)
    assert found is not None
    return found[1]


def to_text(made: Json) -> str:
    """A bill as it is written: keys in their order, so that the same bill is the same bytes."""
    return json.dumps(made, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _needed(root: Path, install: str) -> set[str]:
    """The names of what headcount itself asks for: of the training install, with what every extra asks for."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = list(project["dependencies"])
    if install == "train":
        lines += [line for extra in project["optional-dependencies"].values() for line in extra]
    return {canonicalize_name(Requirement(line).name) for line in lines} - {"headcount"}


def _headcount(root: Path) -> Json:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = version_of(root)
    return {
        "type": "application", "bom-ref": f"headcount=={version}", "name": "headcount", "version": version,
        "description": project["description"], "purl": f"pkg:pypi/headcount@{version}",
        "licenses": [{"license": {"id": project["license"], "acknowledgement": "declared"}}],
    }  # fmt: skip


def _tool(found: Json) -> Json:
    """The program that listed the packages, with nothing but its name and version."""
    tools = found["metadata"]["tools"]["components"]
    tool = next(one for one in tools if one["name"] == "cyclonedx-py")
    return {"type": "application", "group": "CycloneDX", "name": tool["name"], "version": tool["version"]}


def _plain(component: Json) -> Json:
    """A package's entry without addresses of registries and places of this machine."""
    left_out = ("externalReferences", "bom-ref", "properties")
    kept = {key: value for key, value in component.items() if key not in left_out}
    kept["bom-ref"] = f"{canonicalize_name(component['name'])}=={component['version']}"
    kept.setdefault("purl", f"pkg:pypi/{canonicalize_name(component['name'])}@{component['version']}")
    pages = [
        {"type": one["type"], "url": one["url"]}
        for one in component.get("externalReferences", ())
        if not _REGISTRY.search(one["url"])
    ]
    if pages:
        kept["externalReferences"] = sorted(pages, key=lambda one: (one["type"], one["url"]))
    return kept


def main() -> int:
    """Write both bills, and say which packages of other systems are not in them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist", help="where they go (dist)")
    folder: Path = parser.parse_args().folder
    try:
        found = environment()
        bills = {install: bill(install, found) for install in INSTALLS}
    except SbomError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    for install, (made, missing) in bills.items():
        path = folder / f"headcount-{version_of()}-{install}.cdx.json"
        path.write_text(to_text(made), encoding="utf-8")
        models = sum(one["type"] == "machine-learning-model" for one in made["components"])
        print(f"{path.name}: {len(made['components']) - models} packages, {models} files of weights")
        if missing:
            print(f"Note: not installed here, and not in it: {', '.join(missing)}.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
