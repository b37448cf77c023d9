"""One picture, one count: whatever the threads, the order, the tiles, the run, and the way it was asked for."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image
from tests.trust.absurd_models import copy_model
from tests.trust.batches_killed import table_of
from tests.trust.experiment import Experiment, Result, Size, result_of, work_folder
from tests.trust.processes import Running, forked, run
from tests.trust.scenes import paint_scene

from headcount import load
from headcount.core.prediction import Prediction

MODEL = "headcount-n"
MOST_OF_TILES = 1e-3
"""Tiles and threads may differ from the whole and from one by rounding: by this share of the count at most."""
MOST_OF_THREADS = 1e-3
_SIZES_WH: dict[Size, tuple[tuple[int, int], ...]] = {
    "short": ((320, 240), (1088, 320)), "long": ((320, 240), (640, 480), (1280, 960)),
}  # fmt: skip


@dataclass(slots=True)
class Comparison:
    """Counts of the same pictures in another way, against those of the first."""

    wanted: dict[str, float]
    tried: int = 0
    findings: list[str] = field(default_factory=list)
    differences: dict[str, float] = field(default_factory=dict)

    def add_written(self, way: str, counts: dict[str, float]) -> None:
        """Compare what was written, with three decimals."""
        wanted = {name: round(count, 3) for name, count in self.wanted.items()}
        written = Comparison(wanted)
        written.add(way, counts)
        self.tried += 1
        self.findings += written.findings
        self.differences |= written.differences

    def add(self, way: str, counts: dict[str, float], most: float = 0.0) -> None:
        """Compare; ``most`` is the largest relative difference that is allowed."""
        self.tried += 1
        if counts.keys() != self.wanted.keys():
            self.findings.append(f"{way}: it counted {sorted(counts)} of {sorted(self.wanted)}.")
            return
        largest = max(abs(counts[name] - count) / max(count, 1.0) for name, count in self.wanted.items())
        self.differences[way] = largest
        if largest > most:
            self.findings.append(f"{way}: it differs by {largest:.2g} of the count.")


def _write(folder: Path, size: Size) -> list[Path]:
    folder.mkdir()
    paths = []
    for index, size_wh in enumerate(_SIZES_WH[size]):
        paths.append(folder / f"{index}.png")
        Image.fromarray(paint_scene(20 + index, size_wh=size_wh, count=40 * (index + 1)).pixels()).save(paths[-1])
    return paths


def _by_name(predictions: list[Prediction]) -> dict[str, float]:
    return {Path(found.source).name: found.count for found in predictions}


def _from_file(results: Path) -> dict[str, float]:
    return {Path(row["source"]).name: row["count"] for row in json.loads(results.read_text(encoding="utf-8"))}


def _command(comparison: Comparison, paths: list[Path], work: Path) -> None:
    one_by_one: dict[str, float] = {}
    for path in paths:
        output = work / f"{path.stem}.json"
        assert run("count", path, "--model", MODEL, "--threads", 1, "--output", output).code == 0
        one_by_one |= _from_file(output)
    comparison.add_written("the command, a file at a time", one_by_one)
    assert run("count", paths[0].parent, "--model", MODEL, "--threads", 1, "--output", work / "folder.json").code == 0
    comparison.add_written("the command, a folder", _from_file(work / "folder.json"))


def _batch(comparison: Comparison, paths: list[Path], work: Path, *numbers: int) -> None:
    """By so many workers: the rows hold the counts as they are."""
    for workers in numbers:
        output = work / f"batch-{workers}"
        done = run(
            "count", paths[0].parent, "--model", MODEL, "--threads", 1, "--workers", workers, "--output", f"{output}/"
        )
        assert done.code == 0, done.err
        rows = table_of(output).to_pylist()
        way = f"a batch of {workers} worker{'s' if workers > 1 else ''}"
        comparison.add(way, {Path(row["address"]).name: row["count"] for row in rows})


@contextlib.contextmanager
def _served() -> Iterator[str]:
    """The address of a server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Running("serve", "--port", port, "--model", MODEL, "--threads", 1) as server:
        line = server.line("http://")
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found is not None, line
        yield found[0]


def _server(comparison: Comparison, paths: list[Path]) -> None:
    counts = {}
    with _served() as address:
        for path in paths:
            asked = urllib.request.Request(f"{address}/api/count", path.read_bytes(), {"Content-Type": "image/png"})
            with urllib.request.urlopen(asked, timeout=120) as answer:
                counts[path.name] = json.load(answer)["count"]
    comparison.add_written("the server", counts)


def _tiled(folder: Path, size_px: int) -> Callable[[list[Path]], list[Prediction]]:
    card = copy_model(folder, ".onnx")
    told = json.loads(card.read_text(encoding="utf-8"))
    told["tile"]["size"] = size_px
    card.write_text(json.dumps(told), encoding="utf-8")
    counter = load(card.with_suffix(".onnx"), threads=1)
    return lambda paths: [counter.count(path) for path in paths]


def _try(size: Size) -> Result:
    with work_folder("equal") as work, forked():
        paths = _write(work / "pictures", size)
        first = load(MODEL, threads=1)
        comparison = Comparison(_by_name([first.count(path) for path in paths]))
        comparison.add("again", _by_name([first.count(path) for path in paths]))
        comparison.add("in the opposite order", _by_name([first.count(path) for path in paths[::-1]]))
        comparison.add("many at once", _by_name(list(first.count_many(paths))))
        comparison.add("pixels instead of files", {
            path.name: first.count(np.asarray(Image.open(path).convert("RGB"))).count for path in paths
        })  # fmt: skip
        comparison.add("another run", _by_name([load(MODEL, threads=1).count(path) for path in paths]))
        for threads in (2,) if size == "short" else (2, 3):
            counter = load(MODEL, threads=threads)
            comparison.add(f"{threads} threads", _by_name([counter.count(path) for path in paths]), MOST_OF_THREADS)
        for tile_px in (1024,) if size == "short" else (896, 960, 1024):
            found = _tiled(work / f"tiles-{tile_px}", tile_px)(paths)
            comparison.add(f"tiles of {tile_px} px", _by_name(found), MOST_OF_TILES)
        _command(comparison, paths, work)
        if find_spec("pyarrow") is not None:
            _batch(comparison, paths, work, *((1,) if size == "short" else (1, 2, 3)))
        _server(comparison, paths)
    same = [way for way, largest in comparison.differences.items() if not largest]
    others = [f"{way} by {largest:.1g} of the count" for way, largest in comparison.differences.items() if largest]
    how = (
        f"{len(paths)} painted crowds with headcount-n, against one thread of the Python interface; bit-equal: "
        f"{', '.join(same)}; at most {MOST_OF_TILES:g} may differ: {', '.join(others) or 'none does'}"
    )
    return result_of(comparison.tried, comparison.findings, how)


EXPERIMENT = Experiment("equal-counts", "Counts equal across threads, order, tiles, runs and interfaces", _try)
