"""What is printed agrees with itself and with the files: one whole number for each count, and sums of those."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from headcount.cli.console import output_console
from headcount.cli.results import CountLine, print_one, print_summary, print_table
from headcount.core.prediction import Prediction
from headcount.data.formats.nwpu import read_nwpu_predictions
from headcount.data.formats.predictions import PredictionFile, read_predictions
from headcount.draw.prediction import caption_of

COUNTS = [[23.6, 55.6, 63.8], [0.4, 0.4, 0.4], [0.5, 1.5, 2.5], [2.4996, 0.49949, 0.0], [1e6 + 0.5, 0.2, 7.0]]


@pytest.mark.parametrize("counts", COUNTS)
def test_the_sum_is_that_of_the_rows(capsys: pytest.CaptureFixture[str], counts: list[float]) -> None:
    rows = [CountLine(f"{number}.jpg", count, None, (64, 48)) for number, count in enumerate(counts)]
    console = output_console()
    print_table(console, rows)
    print_summary(console, rows, 0)
    lines = [line.replace(",", "") for line in capsys.readouterr().out.splitlines()]
    shown = [int(line.split()[1]) for line in lines[1:4]]
    found = re.match(r"3 images: (\d+) (?:person|people) in all ([\d.]+) on average at most (\d+)", lines[4])
    assert found is not None
    assert int(found[1]) == sum(shown)
    assert float(found[2]) == pytest.approx(sum(shown) / 3, abs=0.051)
    assert int(found[3]) == max(shown)
    for row, number in zip(rows, shown, strict=True):
        print_one(console, row)
        assert f": {number:,} " in capsys.readouterr().out


@pytest.mark.parametrize("counts", COUNTS[:-1])
@pytest.mark.parametrize("peaks", [0, 3, 90])
def test_files_and_pictures_hold_the_number_on_the_screen(tmp_path: Path, counts: list[float], peaks: int) -> None:
    draw = np.random.default_rng(5)
    predictions = []
    for number, count in enumerate(counts):
        density = draw.random((6, 8), dtype=np.float32)
        density *= np.float32(count / density.sum())
        points = draw.uniform(0, 48, (peaks, 2))
        predictions.append(
            Prediction(
                count,
                (64, 48),
                points,
                "peaks",
                draw.random(peaks),
                density=density,
                density_stride=8,
                source=f"{number}.jpg",
            )
        )
    for suffix in (".csv", ".json", ".txt"):
        with PredictionFile(tmp_path / f"out{suffix}") as file:
            for prediction in predictions:
                file.add(prediction)
    shown = [CountLine("", count, None, (1, 1)).people for count in counts]
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as text:
        assert [int(row["people"]) for row in csv.DictReader(text)] == shown
    assert [one.people for one in read_predictions(tmp_path / "out.json")] == shown
    assert [len(points) for points in read_nwpu_predictions(tmp_path / "out.txt").values()] == shown
    captions = [caption_of(prediction) for prediction in predictions]
    assert [int(caption.split()[0]) for caption in captions] == shown


def test_of_too_many_peaks_the_strongest_are_kept(tmp_path: Path) -> None:
    found = Prediction(
        2, (64, 48), np.array([[8.5, 8], [24, 8], [40, 8]]), "peaks", np.array([0.9, 0.3, 0.8]),
        density=np.full((6, 8), 2 / 48, np.float32), density_stride=8, source="4.jpg",
    )  # fmt: skip
    found.save(tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == "4 2 8 8 40 8\n"
