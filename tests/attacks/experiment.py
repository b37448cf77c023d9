"""The attacks as lines of the table of trust."""

from __future__ import annotations

import multiprocessing
from importlib.util import find_spec
from pathlib import Path

from tests.attacks.attack import Attack
from tests.attacks.table import ATTACKS
from tests.trust.experiment import Experiment, Result, Size, result_of, work_folder

_A_STRIDE = 6
"""The short form gives one attack in so many, of those that need no training package."""


def short_form() -> list[Attack]:
    """Some attacks of each kind, quick ones."""
    return [attack for attack in ATTACKS if not attack.needs][::_A_STRIDE]


def _attacks(size: Size) -> Result:
    why = cannot()
    if why:
        return Result(0, 0, why)
    from tests.attacks.give import give, prepare

    chosen = short_form() if size == "short" else [each for each in ATTACKS if not each.needs or find_spec(each.needs)]
    prepare(training=size == "long" and find_spec("torch") is not None)
    findings: list[str] = []
    with work_folder("attacks") as folder:
        model = tiny_model(folder)
        for number, attack in enumerate(chosen):
            if found := give(attack, folder / str(number), model):
                findings.append("; ".join(found))
    how = "each a kept file given to a command: refused by name, left out and said, or read without harm; nothing run"
    return result_of(len(chosen), findings, how)


def _requests(size: Size) -> Result:
    why = cannot() or ("" if find_spec("fastapi") else "the servers need the serve and label extras")
    if why:
        return Result(0, 0, why)
    from tests.attacks.requests import REQUESTS, servers, slow, wrong

    chosen = REQUESTS[::_A_STRIDE] if size == "short" else REQUESTS
    findings: list[str] = []
    with work_folder("requests") as folder:
        place = folder / "servers"
        with servers(place, tiny_model(folder)) as ports:
            for request in chosen:
                if found := wrong(request, ports, place):
                    findings.append("; ".join(found))
            if size == "long" and (found := slow(ports["serve"])):
                findings.append("; ".join(found))
    tried = len(chosen) + (size == "long")
    how = "sent to the server and the labelling page: refused, and both go on"
    if size == "long":
        how += "; also 40 connections that send a byte a second: others are answered, and each of them is ended"
    return result_of(tried, findings, how)


def tiny_model(folder: Path) -> Path:
    """A model that works, and its card, in a folder."""
    from tests.conftest import _card, write_tiny_onnx

    path = folder / "tiny.onnx"
    write_tiny_onnx(path)
    path.with_suffix(".json").write_text(_card(path).to_json(), encoding="utf-8")
    return path


def cannot() -> str:
    """Why attacks cannot be given here, else empty."""
    if not find_spec("onnx"):
        return "the model that attacks are given to is built with onnx"
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return "attacks are given in processes of their own, which this system lacks"
    return ""


ATTACKED = Experiment("attacks", "Attack files: pickles, bombs, places, words", _attacks)
REQUESTED = Experiment("requests", "Requests that no browser sends", _requests)
