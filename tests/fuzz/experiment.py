"""The fuzzing that coverage guides, as a line of the table of trust."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from tests.trust.experiment import Experiment, Result, Size, work_folder

SECONDS = "HEADCOUNT_FUZZ_SECONDS"
"""The environment's variable for the seconds a parser of the long form; 600 where it is not set."""
JOBS = "HEADCOUNT_FUZZ_JOBS"
"""That for how many processes share the parsers of the long form; 1 where it is not set."""
CORPUS = "HEADCOUNT_FUZZ_CORPUS"
"""That for the folder where inputs are kept that reach more, so that another run goes on; else it is a new one."""
_SHORT = ("points-json", "--inputs", "60", "--seconds", "60")
_LINE = re.compile(r"^\S+ +(\d+) s +([\d,]+) inputs +[\d,]+ accepted +[\d,]+ refused +(\d+) findings", re.MULTILINE)


def _guided(size: Size) -> Result:
    if not find_spec("atheris"):
        return Result(0, 0, "atheris is not installed (dev extra, Linux)")
    seconds, jobs = os.environ.get(SECONDS, "600"), 1 if size == "short" else int(os.environ.get(JOBS, "1"))
    chosen = _SHORT if size == "short" else ("--seconds", seconds)
    with work_folder("fuzz") as folder:
        corpus = folder / "corpus" if size == "short" else Path(os.environ.get(CORPUS, folder / "corpus"))
        command = [sys.executable, str(Path(__file__).parent / "guided.py"), *chosen]
        command += ["--corpus", str(corpus), "--keep", str(folder / "findings")]
        runs = [
            subprocess.Popen(
                [*command, "--part", f"{job + 1}/{jobs}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for job in range(jobs)
        ]
        with ThreadPoolExecutor(jobs) as pool:
            told = list(pool.map(lambda run: run.communicate(), runs))
    return result_of_runs(told)


def result_of_runs(told: Sequence[tuple[str, str]]) -> Result:
    """What the reports of runs come to, each its standard output and error; one that was cut off holds a finding."""
    lines = [line for out, _ in told for line in _LINE.findall(out)]
    tried = sum(int(inputs.replace(",", "")) for _, inputs, _ in lines)
    findings = []
    for out, err in told:
        findings += [line.strip() for line in out.splitlines() if re.match(r"  [\d,]+ × ", line)]
        if not re.search(r"^seed \d+, ", out, re.MULTILINE):
            findings.append(f"the run was cut off: {err[-300:]}")
    times = sum(int(line.split(" ")[0].replace(",", "")) for line in findings if " × " in line)
    seconds = sorted(int(each) for each, _, _ in lines) or [0]
    each = f"{seconds[0]} s" if seconds[0] == seconds[-1] else f"{seconds[0]} to {seconds[-1]} s"
    how = f"{len(lines)} parsers, {each} each, of inputs that coverage leads to: read, or refused with a sentence, soon"
    return Result(tried or 1, max(0, tried - times), how, tuple(findings))


EXPERIMENT = Experiment("fuzz-guided", "Damaged files for every parser, guided by coverage", _guided)
