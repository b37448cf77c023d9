"""Memory that stays as it is: over thousands of images, and over an hour of video."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tests.trust.experiment import Experiment, Result, Size, result_of, work_folder
from tests.trust.processes import LONGEST_S, environment
from tests.trust.scenes import write_pictures

MOST_MB = 8.0
"""The last quarter of a run may take so much more than its second quarter, and its second half grow by so much."""
_EVERY_S: dict[Size, float] = {"short": 0.01, "long": 0.05}
_DIFFERENT = 30


def is_flat(resident_mb: Sequence[float]) -> tuple[bool, float, float]:
    """Whether a run's memory stays as it is, and by how many megabytes it does not.

    The first quarter is for warming up. What counts is the median of the last quarter less that of the second, and the
    slope of a straight line through the second half, over that half.
    """
    values = np.asarray(resident_mb, np.float64)
    quarters = np.array_split(values, 4)
    step = float(np.median(quarters[3]) - np.median(quarters[1]))
    half = values[len(values) // 2 :]
    slope = float(np.polyfit(np.arange(len(half)), half, 1)[0] * len(half))
    return step <= MOST_MB and slope <= MOST_MB, step, slope


def resident_mb(*arguments: object, every_s: float) -> list[float]:
    """The resident memory of ``headcount …``, sampled until it ends; of its time of counting."""
    samples: list[tuple[float, float]] = []
    end = time.monotonic() + 12 * LONGEST_S
    process = subprocess.Popen(
        [sys.executable, "-m", "headcount", *map(str, arguments)], env=environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    statm, page = Path(f"/proc/{process.pid}/statm"), os.sysconf("SC_PAGE_SIZE")
    results = Path(next(str(each) for each in arguments if str(each).endswith(".csv")))
    try:
        while process.poll() is None and time.monotonic() < end:
            words = statm.read_text().split()
            if len(words) > 1 and results.exists():  # the first image is counted
                samples.append((time.time(), int(words[1]) * page / 2**20))
            time.sleep(every_s)
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has just ended
    finally:
        process.kill()
        _, err = process.communicate()
    assert "Traceback" not in err, err
    # What an ending process gives back is left out.
    last = results.stat().st_mtime
    counting = [megabytes for at, megabytes in samples if at <= last]
    assert len(counting) >= 8, samples
    return counting


def write_film(path: Path, seconds: int, *, size_wh: tuple[int, int] = (96, 64)) -> Path:
    """A film of a frame a second, of painted crowds that come and go."""
    import av
    from PIL import Image

    pictures = write_pictures(path.with_name(f"{path.stem}-frames"), _DIFFERENT, size_wh=size_wh)
    frames = [np.asarray(Image.open(each).convert("RGB")) for each in sorted(pictures.iterdir())]
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=1)
        stream.width, stream.height = size_wh
        stream.pix_fmt = "yuv420p"
        for second in range(seconds):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frames[second % len(frames)], format="rgb24")))
        film.mux(stream.encode())
    return path


def _write_many(folder: Path, number: int) -> Path:
    """So many pictures, of which some dozens differ, in three sizes."""
    sizes = ((96, 64), (64, 96), (128, 96))
    made = [
        path
        for index, size_wh in enumerate(sizes)
        for path in sorted(
            write_pictures(folder.with_name(f"made-{index}"), _DIFFERENT // 3, size_wh=size_wh).iterdir()
        )
    ]
    folder.mkdir()
    for index in range(number):
        shutil.copy(made[index % len(made)], folder / f"{index:05d}.png")
    return folder


def _try(size: Size) -> Result:
    if not Path("/proc/self/statm").exists():
        return Result(0, 0, "this system has no /proc to read a process's memory from")
    images, seconds = (200, 120) if size == "short" else (5_000, 3_600)
    findings: list[str] = []
    told: list[str] = []
    with work_folder("memory") as work:
        sources = {
            f"{images:,} images": _write_many(work / "images", images),
            f"{seconds / 60:g} minutes of video": write_film(work / "film.mp4", seconds),
        }
        for what, source in sources.items():
            samples = resident_mb(
                "count",
                source,
                "--model",
                "headcount-n",
                "--quiet",
                "--threads",
                1,
                "--output",
                work / f"{source.stem}.csv",
                every_s=_EVERY_S[size],
            )
            counted = len((work / f"{source.stem}.csv").read_text().splitlines()) - 1
            flat, step, slope = is_flat(samples)
            told.append(
                f"{what}: {np.median(samples):.0f} MB, {step:+.1f} MB from the second quarter to the last, "
                f"{slope:+.1f} MB by the slope of the second half"
            )
            if not flat:
                findings.append(f"{told[-1]}: more than {MOST_MB:g} MB.")
            elif counted < (images if source.is_dir() else seconds):
                findings.append(f"{what}: only {counted:,} were counted.")
    how = (
        f"`headcount count` with headcount-n, resident memory from /proc {1 / _EVERY_S[size]:.0f} times a second; "
        f"{'; '.join(told)}"
    )
    return result_of(2, findings, how)


EXPERIMENT = Experiment("memory", "Memory over thousands of images and an hour of video", _try)
