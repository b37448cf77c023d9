"""The fuzzing that coverage guides, as a line of the table of trust."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.trust.experiment import Experiment, Result, Size, work_folder

SECONDS = "HEADCOUNT_FUZZ_SECONDS"
"""The environment's variable for the seconds a parser of the long form; 600 where it is not set."""
CORPUS = "HEADCOUNT_FUZZ_CORPUS"
"""That for the folder where inputs are kept that reach more, so that another run goes on; else it is a new one."""
_SHORT = ("points-json", "voc", "shanghaitech-a", "--inputs", "60", "--seconds", "60")
_LINE = re.compile(r"^\S+ +\d+ s +([\d,]+) inputs +[\d,]+ accepted +[\d,]+ refused +(\d+) findings", re.MULTILINE)


def _guided(size: Size) -> Result:
    if not find_spec("atheris"):
        return Result(0, 0, "atheris is not installed (dev extra, Linux)")
    seconds = os.environ.get(SECONDS, "600")
    chosen = _SHORT if size == "short" else ("--seconds", seconds)
    with work_folder("fuzz") as folder:
        corpus = folder / "corpus" if size == "short" else Path(os.environ.get(CORPUS, folder / "corpus"))
        command = [sys.executable, str(Path(__file__).parent / "guided.py"), *chosen]
        command += ["--corpus", str(corpus), "--keep", str(folder / "findings")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return result_of_run(done.stdout, done.stderr, "" if size == "short" else f", {seconds} s a parser")


def result_of_run(out: str, err: str, more: str) -> Result:
    """What the report of a run comes to; one that was cut off holds a finding."""
    lines = _LINE.findall(out)
    tried = sum(int(inputs.replace(",", "")) for inputs, _ in lines)
    findings = [line.strip() for line in out.splitlines() if re.match(r"  [\d,]+ × ", line)]
    if not re.search(r"^seed \d+, ", out, re.MULTILINE):
        findings.append(f"the run was cut off: {err[-300:]}")
    times = sum(int(line.split(" ")[0].replace(",", "")) for line in findings if " × " in line)
    how = f"{len(lines)} parsers, inputs that coverage leads to{more}: read, or refused with a sentence, soon"
    return Result(tried or 1, max(0, tried - times), how, tuple(findings))


EXPERIMENT = Experiment("fuzz-guided", "Damaged files for every parser, guided by coverage", _guided)
