"""The bills of both installs: complete, valid, the same each time, and silent about this machine."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Supply = Callable[[str], ModuleType]
pytest.importorskip("cyclonedx")


@pytest.fixture
def sbom(supply: Supply) -> ModuleType:
    return supply("sbom")


@pytest.fixture
def found(supply: Supply) -> dict[str, Any]:
    """An environment as cyclonedx-py tells it, in which the light install is, and something else."""
    pins = supply("pins").pins_of(supply("wheel").ROOT / "constraints" / "base.txt")
    components = [
        {
            "type": "library", "bom-ref": f"{name}=={version}", "name": name, "version": version,
            "externalReferences": [
                {"type": "website", "url": f"https://{name}.example/", "comment": "from its metadata"},
                {"type": "distribution", "url": f"https://pypi.example/project/{name}/"},
                {"type": "distribution", "url": "file:///home/anna/wheels/"},
            ],
        }
        for name, version in {**pins, "pip": "26.0"}.items()
    ]  # fmt: skip
    own = {"type": "library", "bom-ref": "BomRef.1.2", "name": "headcount", "version": "0.1.0"}
    typer, rich = (f"{name}=={pins[name]}" for name in ("typer", "rich"))
    return {
        "metadata": {"tools": {"components": [{"name": "cyclonedx-py", "version": "7.5.0"}]}},
        "components": [*components, own],
        "dependencies": [{"ref": "BomRef.1.2"}, {"ref": typer, "dependsOn": [rich, "pip==26.0"]}, {"ref": rich}],
    }


@cache
def schema() -> Any:
    """CycloneDX's own schema of bills; its Python library takes a thousand times as long to look at one."""
    rules = pytest.importorskip("jsonschema_rs", reason="bills are held against their schema with it (dev extra)")
    folder = files("cyclonedx.schema._res")
    parts = {
        name: json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text(encoding="utf-8"))
        for name in ("bom-1.6", "spdx", "cryptography-defs", "jsf-0.82")
    }
    others = [(f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", part) for name, part in parts.items()]
    registry = rules.Registry(others, draft=rules.Draft7)
    return rules.Draft7Validator(parts["bom-1.6"], registry=registry, validate_formats=True)


def check(made: dict[str, Any], text: str) -> None:
    """What holds of every bill."""
    assert [error.message for error in schema().iter_errors(json.loads(text))] == []
    assert "serialNumber" not in made
    assert "timestamp" not in made["metadata"]
    assert not re.search(r"pypi\.|pythonhosted|file:|/home/|/root/|BomRef", text.replace("pkg:pypi/", ""))
    assert str(Path(__file__).parents[2]) not in text
    references = {one["bom-ref"] for one in [*made["components"], made["metadata"]["component"]]}
    for edge in made["dependencies"]:
        assert {edge["ref"], *edge.get("dependsOn", ())} <= references
    assert len(references) == len(made["components"]) + 1


def test_the_light_install_has_its_packages_and_the_weights(sbom: ModuleType, found: dict[str, Any]) -> None:
    made, missing = sbom.bill("light", found)
    text = sbom.to_text(made)
    check(made, text)
    assert not missing
    names = {one["name"] for one in made["components"] if one["type"] == "library"}
    assert "openvino" in names
    assert not names & {"pip", "headcount", "torch"}
    numpy = next(one for one in made["components"] if one["name"] == "numpy")
    assert numpy["externalReferences"] == [{"type": "website", "url": "https://numpy.example/"}]
    assert numpy["purl"] == f"pkg:pypi/numpy@{numpy['version']}"
    typer = next(edge for edge in made["dependencies"] if edge["ref"].startswith("typer"))
    assert [ref.partition("==")[0] for ref in typer["dependsOn"]] == ["rich"]
    assert sbom.to_text(sbom.bill("light", json.loads(json.dumps(found)))[0]) == text


def test_weights_have_their_hash_terms_and_data(sbom: ModuleType, found: dict[str, Any]) -> None:
    made, _ = sbom.bill("light", found)
    models = {one["name"]: one for one in made["components"] if one["type"] == "machine-learning-model"}
    folder = sbom.ROOT / "src" / "headcount" / "weights"
    assert models.keys() == {path.name for path in folder.iterdir() if path.suffix != ".json"}
    for name, one in models.items():
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert one["hashes"] == [{"alg": "SHA-256", "content": digest}]
        assert "research use" in one["licenses"][0]["license"]["text"]["content"]
        assert one["modelCard"]["modelParameters"]["datasets"]
        assert one["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    head = made["dependencies"][0]
    assert head["ref"] == made["metadata"]["component"]["bom-ref"]
    assert {f"weights/{name}" for name in models} < set(head["dependsOn"])


def test_what_is_no_bill_is_seen(sbom: ModuleType, found: dict[str, Any]) -> None:
    made, _ = sbom.bill("light", found)
    made["components"][0]["type"] = "strange"
    made["components"][1]["licenses"] = [{"license": {"id": "no licence of this name"}}]
    assert len(list(schema().iter_errors(made))) == 2


def test_another_version_than_the_pinned_one_is_refused(sbom: ModuleType, found: dict[str, Any]) -> None:
    found["components"][4]["version"] = "0.0.1"
    with pytest.raises(sbom.SbomError, match=r"numpy is 0\.0\.1 here, but"):
        sbom.bill("light", found)


def test_a_light_install_that_lacks_a_package_is_refused(sbom: ModuleType, found: dict[str, Any]) -> None:
    del found["components"][4]
    with pytest.raises(sbom.SbomError, match="lacks numpy"):
        sbom.bill("light", found)


@pytest.mark.slow
def test_what_is_installed_here_makes_good_bills(sbom: ModuleType) -> None:
    told = sbom.environment()
    for install in sbom.INSTALLS:
        try:
            made, missing = sbom.bill(install, told)
        except sbom.SbomError as error:
            pytest.skip(f"this environment is not the one of the constraints: {error}")
        check(made, sbom.to_text(made))
        names = {one["name"].lower() for one in made["components"]}
        assert ("torch" in names) == (install == "train" and "torch" not in missing)


def test_bills_name_the_version_of_the_source(sbom: ModuleType, tmp_path: Path) -> None:
    import headcount

    assert sbom.version_of() == headcount.__version__
