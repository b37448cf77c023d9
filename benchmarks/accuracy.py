"""How well a model counts, everywhere at once: validation lists, photographs of nobody, and a place it never saw.

    python -m benchmarks.accuracy [MODEL …] --data shanghaitech-a=PATH --data scut-head-a=PATH … \\
        --negatives FOLDER --unseen mall=PATH [--output reports.json]
prints one row a set, as the README's table has them: whole images, f32. Of the negatives, those held out of training;
of an unseen set, all images that are there. Of a model that gives ranges, too, how often they hold the true number,
with the bounds that so many images allow. ``--output`` holds what ``headcount export --report`` takes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from headcount.core.errors import HeadcountError
from headcount.core.files import write_json
from headcount.core.scene import Scene
from headcount.data.sets.negatives import NEGATIVES, read_negatives
from headcount.data.sets.registry import parse_spec, read_dataset
from headcount.evaluate.metrics.interval import IntervalResult
from headcount.evaluate.metrics.table import EvaluationSettings
from headcount.evaluate.run import EvaluationReport, evaluate_scenes
from headcount.infer.counter import load

HEAD = f"{'data, split':<24}{'images':>8}{'MAE':>9}{'RMSE':>9}{'NAE':>8}{'bias':>9}"


def sets_of(data: Iterable[str], negatives: Path | None, unseen: Iterable[str]) -> dict[tuple[str, str], list[Scene]]:
    """The scenes of each (name, split): validation lists, negatives held out, and all of the unseen sets."""
    sets = {(parse_spec(spec)[0], "val"): read_dataset(spec, "val") for spec in data}
    if negatives is not None:
        sets[NEGATIVES, "val"] = read_negatives(negatives, "val")
    return sets | {(parse_spec(spec)[0], "all"): read_dataset(spec, "all") for spec in unseen}


def row(report: EvaluationReport) -> str:
    """A set's figures as printed; where nobody is, how many images count less than one."""
    found = report.counting
    nae = "—" if found.nae is None else f"{found.nae:.3f}"
    line = (
        f"{f'{report.data} {report.split}':<24}{len(report.images):>8}{found.mae:>9.2f}{found.rmse:>9.2f}{nae:>8}"
        f"{found.bias:>+9.2f}"
    )
    ranges = report.results.get("interval")
    if isinstance(ranges, IntervalResult):
        low, high = ranges.coverage.bounds
        line += f"   in range: {ranges.coverage.share:.0%} ({low:.0%} to {high:.0%})"
    if not found.heads:
        counts = [image.predicted for image in report.images]
        line += f"   below 1: {np.mean(np.array(counts) < 1):.0%}, most {max(counts):.1f}"
    return line


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["headcount-s"], metavar="MODEL")
    parser.add_argument("--data", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--negatives", type=Path, metavar="FOLDER")
    parser.add_argument("--unseen", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--output", type=Path, metavar="FILE")
    asked = parser.parse_args(arguments)
    reports = []
    try:
        sets = sets_of(asked.data, asked.negatives, asked.unseen)
        for model in asked.models:
            counter = load(model, precision=asked.precision)
            print(f"{counter.card.name}, {counter.runtime.precision}\n{HEAD}")
            for (name, split), scenes in sets.items():
                settings = EvaluationSettings(data=name, split=split)
                report = evaluate_scenes(counter, scenes, settings, metrics=("counting", "interval"), keep_worst=0)
                print(row(report), flush=True)
                reports.append(report.to_dict())
    except HeadcountError as error:
        sys.exit(f"accuracy: {error}")
    if asked.output is not None:
        write_json(asked.output, {"reports": reports})


if __name__ == "__main__":
    main()
