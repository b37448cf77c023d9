"""`headcount doctor`: what it prints, what it leaves out, and how it ends where something is broken."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from headcount.cli.doctor import report as module
from headcount.core.machine import Memory
from headcount.core.packages import Extra, Package
from headcount.core.threads import Threads
from headcount.infer import health
from headcount.infer.health import Chosen, Counted

RunCli = Callable[..., tuple[int, str, str]]
HIDDEN = ("torch", "torchvision", "timm", "lightning", "onnx", "onnxruntime", "matplotlib", "pillow_heif")

# An interpreter that finds none of the packages above: neither their modules nor that they are installed.
LIGHT = f"""
import importlib.abc, importlib.metadata, sys

class Wall(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HIDDEN!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Wall())
told = importlib.metadata.version

def version(name):
    if name.replace("-", "_") in {HIDDEN!r}:
        raise importlib.metadata.PackageNotFoundError(name)
    return told(name)

importlib.metadata.version = version
from headcount.cli.main import main
main()
"""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is opened, and no file of weights read."""
    chosen = Chosen("headcount-s", "openvino", "cpu", "bf16", "the model has an .onnx file", "OpenVINO's choice", 9.0)
    monkeypatch.setattr(health, "choose", lambda: chosen)
    monkeypatch.setattr(health, "models_found", lambda: (Path.home() / "site-packages" / "weights", []))


@pytest.mark.slow
def test_a_good_install_is_told_in_eighty_columns(run_cli: RunCli) -> None:
    code, out, err = run_cli("doctor")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("headcount ")
    assert max(map(len, lines)) <= 80
    for words in ("Python", "numpy", "threads", "memory", "headcount-s on openvino cpu", "hashes good", "Extras"):
        assert words in out
    assert out.endswith('"headcount doctor --check" counts a crowd of known number.\n')


@pytest.mark.slow
def test_a_light_install_names_what_is_missing_for_what(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, "doctor"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'torch is not installed (extra "train")' in done.stdout
    assert 'pip install ".[train]"' in done.stdout
    assert 'photographs in HEIF: pip install ".[heif]"' in done.stdout
    assert "Counting should work" in done.stdout


def test_torch_is_loaded_only_where_it_is_asked_for() -> None:
    code = """
import sys
from headcount.cli.doctor.report import examined
report = examined()
assert not report.faults, report.faults
assert report.chosen is not None and report.gpus is None
print(sorted({"torch", "onnxruntime", "onnx", "matplotlib", "fastapi"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_json_holds_the_same(run_cli: RunCli, quick: None) -> None:
    code, out, _ = run_cli("doctor", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["works"] is True
    assert told["chosen"]["precision"] == "bf16"
    assert told["models_folder"] == "~/site-packages/weights"
    assert {"name", "version", "least"} <= set(told["packages"][0])
    assert {one["name"] for one in told["runtimes"]} >= {"openvino", "onnxruntime", "torch"}
    assert told["memory"]["total"] > 1e8
    assert told["threads"]["processors"] >= 1


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_no_home_folder_and_no_password_is_shown(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: tuple[str, ...]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "anna"))
    for named in (f"{tmp_path}/anna/models/mine.onnx", "https://me:s3cret@host/mine.onnx?token=s3cret"):
        monkeypatch.setenv("HEADCOUNT_MODEL", named)
        code, out, err = run_cli("doctor", *form)
        assert code == 1
        assert "HEADCOUNT_MODEL names no model to count with" in " ".join(out.split())
        assert "anna" not in out + err
        assert "s3cret" not in out + err


def test_a_broken_package_of_the_light_install_ends_in_1(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    told = "cannot be imported (ImportError: libGL.so.1: no such file)"
    monkeypatch.setattr(module, "import_fault", lambda name, load=None: told if "opencv" in name else "")
    code, out, err = run_cli("doctor")
    assert (code, err) == (1, "")
    assert "opencv-python-headless cannot be imported (ImportError: libGL.so.1" in " ".join(out.split())
    assert "Models" not in out
    assert "Counting does not work as it should: 1 fault (above)." in out


def test_a_package_that_is_too_old_is_broken(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "light_packages", lambda: (Package("numpy", "99.0", "2.0"),))
    code, out, _ = run_cli("doctor", "--json")
    assert code == 1
    assert json.loads(out)["faults"] == ["numpy 2.0 is older than 99.0: install headcount again."]


def test_a_second_opencv_is_noted(run_cli: RunCli, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "version_of", lambda name: "4.9" if name == "opencv-python" else None)
    code, out, _ = run_cli("doctor")
    assert code == 0
    assert "opencv-python overwrites files of opencv-python-headless" in " ".join(out.split())


@pytest.mark.parametrize(("count", "code"), [(845.5, 0), (700.0, 1)])
def test_a_crowd_of_known_number_decides(
    run_cli: RunCli, quick: None, monkeypatch: pytest.MonkeyPatch, count: float, code: int
) -> None:
    monkeypatch.setattr(health, "count_known_crowd", lambda: Counted(832, count, 837.825, 0.03, 2.0))
    found, out, _ = run_cli("doctor", "--check")
    assert found == code
    assert f"832 is counted as {count:.1f}" in out
    assert ("has the expected number" in out) == (code == 0)
    found, out, _ = run_cli("doctor", "--check", "--json")
    assert found == code
    assert json.loads(out)["counted"]["is_good"] is (code == 0)


def test_what_goes_wrong_in_an_unforeseen_way_is_a_fault(
    run_cli: RunCli, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> Chosen:
        raise RuntimeError("illegal instruction")

    monkeypatch.setattr(health, "choose", fails)
    code, out, err = run_cli("doctor")
    assert (code, err) == (1, "")
    assert "RuntimeError: illegal instruction" in out


def test_limits_are_told_with_their_reason(run_cli: RunCli, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "threads_found", lambda: Threads(64, 64, 2.5, "", 3, "container"))
    monkeypatch.setattr(module, "memory", lambda: Memory(64_000_000_000, 30_000_000_000, 4_000_000_000, 1_000_000_000))
    _, out, _ = run_cli("doctor")
    told = " ".join(out.split())
    assert "3 of 64 processors: its container may use 2.5 of them" in told
    assert "64.0 GB in all; 30.0 GB free; the container may take 4.0 GB, 1.0 GB of that is taken" in told


def test_opengl_is_missed_only_where_the_extra_is_there(
    run_cli: RunCli, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headcount.synth.opengl.has_opengl", lambda: False)
    for version, missed in (("5.12", True), (None, False)):
        extra = Extra("synth", (Package("moderngl", "5.12", version),))
        monkeypatch.setattr(module, "extras", lambda extra=extra: (extra,))
        _, out, _ = run_cli("doctor")
        assert ("libegl1" in out) is missed


def test_a_gpu_is_looked_for_where_it_is_asked_for(
    run_cli: RunCli, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr("headcount.models.devices.gpus", lambda: ["Some GPU, 24 GB"])
    _, out, _ = run_cli("doctor", "--gpu")
    assert "Some GPU, 24 GB" in out
