"""Malformed media as a line of the table of trust: each file alone, all in a folder, in a batch, and to the server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from tests.attacks.experiment import cannot, tiny_model
from tests.attacks.give import lay_common, raw_signs, run
from tests.attacks.media import malformed
from tests.trust.experiment import Experiment, Result, Size, result_of, work_folder

from headcount.data.media.video import is_video_name

SECONDS = 120.0
"""No file may take longer."""
_MODEL = ("--model", "tiny.onnx", "--every", "0.5")


def _malformed(size: Size) -> Result:
    why = cannot() or ("" if find_spec("av") else "the films are made with PyAV, which the video extra brings")
    if why:
        return Result(0, 0, why)
    findings: list[str] = []
    with work_folder("malformed") as folder:
        files = dict(list(malformed().items())[:: 5 if size == "short" else 1])
        inside = folder / "run"
        inside.mkdir()
        lay_common(inside, tiny_model(folder))
        (inside / "in").mkdir()
        for name, data in files.items():
            (inside / "in" / name).write_bytes(data)
        tried = 0
        for name in files:
            tried += 1
            findings += _alone(inside, name)
        ways: list[Callable[[Path, dict[str, bytes]], list[str]]] = [_together, _in_a_batch]
        if find_spec("fastapi") and size == "long":
            ways.append(_uploaded)
        for way in ways:
            if way is _in_a_batch and not find_spec("pyarrow"):
                continue
            tried += len(files)
            findings += way(inside, files)
    how = f"{len(files)} files, each alone, in a list, in a batch, to the server: read, or skipped with a sentence"
    return result_of(tried, findings, how)


def _ended(what: str, code: int, err: str) -> list[str]:
    """What is wrong with how a command ended, whatever came of it."""
    found = []
    if code not in (0, 1, 2):
        found.append(f"ended with {code}")
    if "Traceback" in err or "unforeseen" in err:
        found.append("was not foreseen")
    if raw_signs(err):
        found.append("steers a terminal")
    if code == 2 and not re.search("^Error: ", err, re.MULTILINE):
        found.append("is refused without a sentence")
    return [f"{what}: it {'; '.join(found)}: {err[-300:]!r}"] if found else []


def _alone(folder: Path, name: str) -> list[str]:
    told = run(("count", f"in/{name}", *_MODEL), folder, seconds=SECONDS)
    found = _ended(name, told.code, told.err)
    if not found and told.code and name not in told.err:
        found = [f"{name}: it is not named: {told.err[-300:]!r}"]
    return found


def _together(folder: Path, files: dict[str, bytes]) -> list[str]:
    """All as a list: each file is counted or named."""
    (folder / "all.txt").write_text("".join(f"in/{name}\n" for name in files), encoding="utf-8")
    told = run(("count", "all.txt", *_MODEL, "-o", "all.json"), folder, seconds=SECONDS * len(files))
    found = _ended("all together", told.code, told.err)
    rows = json.loads((folder / "all.json").read_text(encoding="utf-8")) if (folder / "all.json").exists() else []
    counted = {Path(row["source"].partition("@")[0]).name for row in rows}
    silent = [name for name in files if name not in counted and name not in told.err]
    found += [f"{name}: neither counted nor said in a list" for name in silent]
    told = run(("count", "in", *_MODEL, "-o", "folder.json"), folder, seconds=SECONDS * len(files))
    rows = json.loads((folder / "folder.json").read_text(encoding="utf-8")) if (folder / "folder.json").exists() else []
    counted = {Path(row["source"]).name for row in rows}
    silent = [name for name in files if not is_video_name(Path(name)) and name not in counted | _named(told.err, files)]
    found += _ended("the folder", told.code, told.err)
    return found + [f"{name}: neither counted nor said in a folder" for name in silent]


def _named(text: str, files: dict[str, bytes]) -> set[str]:
    return {name for name in files if name in text}


def _in_a_batch(folder: Path, files: dict[str, bytes]) -> list[str]:
    """All as a batch: each file is a row, with a count or an error."""
    import pyarrow.parquet as pq

    told = run(("count", "all.txt", *_MODEL, "--output", "out/"), folder, seconds=SECONDS * len(files))
    found = _ended("the batch", told.code, told.err)
    if found:
        return found
    table = [row for part in sorted((folder / "out").rglob("*.parquet")) for row in pq.read_table(part).to_pylist()]
    rows: dict[str, list[dict[str, object]]] = {}
    for row in table:
        if "address" in row and "error" in row:
            rows.setdefault(Path(str(row["address"])).name, []).append(row)
    for name in files:
        for row in rows.get(name, []):
            if (row["count"] is None) == (row["error"] is None):
                found.append(f"{name}: a row of the batch holds neither a count nor an error: {row}")
        if name not in rows and name not in told.err:
            found.append(f"{name}: no row of the batch")
    return found


def _uploaded(folder: Path, files: dict[str, bytes]) -> list[str]:
    """Each to the server: an answer with a count or a sentence, and the server goes on."""
    from tests.attacks.requests import Request, servers, sized, wrong

    found = []
    with servers(folder.parent / "served", folder / "tiny.onnx") as ports:
        for name, data in files.items():
            head, body = sized(b"/api/count", data)
            sent = Request(f"{name} to the server", head, body, (200, 400, 413, 415, 422))
            found += wrong(sent, ports, folder.parent / "served")
    return found


EXPERIMENT = Experiment("malformed", "Malformed image and video files", _malformed)
