"""Counting, training, export and int8 in a process of their own: no socket, no look-up, no file outside its folders.

Python's own events see what Python code opens. What libraries do below it is seen by strace, where it is installed,
and by what lies in the home folder afterwards, which is empty before. One file is allowed: matplotlib, which torch's
companions import, keeps a list of fonts in the user's cache.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

WATCH = """
import os, sys, threading, time
from pathlib import Path

inside = tuple(os.path.realpath(folder) for folder in sys.argv[1:3])
seen = []
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "sqlite3.connect"}

def is_outside(path):
    if not isinstance(path, (str, bytes, os.PathLike)):
        return False  # a descriptor: its file was opened before
    path = os.path.realpath(os.fsdecode(path))
    fonts = tuple(os.path.join(Path.home(), *place) for place in ((".config",), (".cache",)))
    if path in fonts or path.startswith(tuple(os.path.join(folder, "matplotlib") for folder in fonts)):
        return False
    return not path.startswith((*inside, "/dev/", "/proc/self/"))

def watch(event, arguments):
    if event == "socket.gethostname":
        return  # asks this machine alone: TensorBoard writes it into its file's name
    if event == "socket.__new__" and arguments[1] == 1:
        return  # AF_UNIX: pairs inside a process
    if event.partition(".")[0] in ("socket", "urllib", "http", "ftplib", "smtplib"):
        seen.append((event, str(arguments)[:200]))
    elif event == "open" and (arguments[2] or 0) & WRITING and is_outside(arguments[0]):
        seen.append((event, str(arguments)[:200]))
    elif event in CHANGES and is_outside(arguments[0]):
        seen.append((event, str(arguments)[:200]))

sys.modules["boto3"] = None  # beside TensorBoard it asks the system for IPv6 by a socket, and is there for tests alone
sys.addaudithook(watch)
"""

WORK = """
import importlib.util
import numpy, yaml
from headcount.cli.main import main
from headcount.core.scene import Scene
from headcount.data.formats.head_list import write_points
from headcount.synth import paint_scene
from PIL import Image

started = time.monotonic()
folder = Path(sys.argv[1])
scenes = []
for seed in range(8):
    painted = paint_scene(seed, size_wh=(128, 96), count=6 + seed)
    Image.fromarray(painted.pixels()).save(folder / f"{seed}.png")
    scenes.append(Scene(folder / f"{seed}.png", painted.points_xy))
write_points(scenes, folder / "points.csv")
(folder / "tiny.yaml").write_text(yaml.safe_dump({
    "name": "tiny", "initialisation": "none", "device": "cpu", "threads": 1, "output": str(folder / "run"),
    "model": {"backbone": "test_efficientnet", "width": 8},
    "data": {"sources": {"points": str(folder / "points.csv")}, "painted_scenes": 1, "crop": 64},
    "batch": 2, "steps_per_epoch": 2, "epochs": 1,
}))

def headcount(*arguments):
    sys.argv[1:] = map(str, arguments)
    try:
        main()
    except SystemExit as end:
        assert not end.code, (arguments, end.code)

photo, model = folder / "0.png", folder / "tiny.onnx"
headcount("train", folder / "tiny.yaml")
headcount("export", folder / "run", "--output", model)
for runtime in ("openvino", "onnxruntime", "torch"):
    headcount("count", photo, "--model", model, "--runtime", runtime, "--output", folder / f"{runtime}.json")
headcount("evaluate", model, "--data", f"points={folder / 'points.csv'}")
if importlib.util.find_spec("nncf") is not None:
    headcount("quantize", model, "--data", f"points={folder / 'points.csv'}", "--split", "all", "--at-most", 1)
"""

# ONNX Runtime would report nine seconds after its import.
END = """
time.sleep(max(0, 14 - (time.monotonic() - started)))
assert "tqdm_monitor" not in str(threading.enumerate()), threading.enumerate()
print("SEEN", seen)
"""

_CALL = re.compile(r"(?:\d+ +)?(?P<name>\w+)\((?P<rest>.*)")
_PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')
_TRACED = (
    "socket,connect,bind,sendto,sendmsg,openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,link,symlink"
)


def _environment(home: Path, temporary: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG", "VIRTUAL_ENV") if name in os.environ}
    return {**kept, "HOME": str(home), "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _strangers(trace: str, inside: tuple[str, ...]) -> list[str]:
    """The calls of a trace that open a socket other than inside the machine, or change a file outside the folders."""
    found = []
    for line in trace.splitlines():
        call = _CALL.match(line)
        if call is None or "resumed>" in line:
            continue
        name, rest = call["name"], call["rest"]
        if name in ("socket", "connect", "bind", "sendto", "sendmsg"):
            if re.search(r"AF_INET|AF_PACKET|htons", rest):
                found.append(line)
        elif not name.startswith("open") or re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", rest):
            paths = [path for path in _PATH.findall(rest) if path.startswith("/")]
            if paths and not f'{paths[0]}"'.startswith((*inside, "/dev/", "/proc/self/")):
                found.append(line)
    return found


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A working, a home and a temporary folder."""
    folders = tmp_path / "work", tmp_path / "home", tmp_path / "temporary"
    for folder in folders:
        folder.mkdir()
    return folders


def _run(code: str, places: tuple[Path, Path, Path], *before: str) -> subprocess.CompletedProcess[str]:
    work, home, temporary = places
    (work / "run.py").write_text(textwrap.dedent(code), encoding="utf-8")
    command = [*before, sys.executable, str(work / "run.py"), str(work), str(temporary)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=work, env=_environment(home, temporary), timeout=600
    )


def test_nothing_is_reported_or_left_elsewhere(places: tuple[Path, Path, Path], tmp_path: Path) -> None:
    for package in ("torch", "onnxruntime"):
        pytest.importorskip(package, reason="training and ONNX Runtime are in the train extra")
    trace = tmp_path / "trace"
    strace = shutil.which("strace")
    quick = ("-f", "--seccomp-bpf")  # stops at no other call than those that are asked for
    traced = strace is not None and subprocess.run([strace, *quick, "true"], capture_output=True).returncode == 0
    tool = (str(strace), *quick, "-qq", "-e", f"trace={_TRACED}", "-o", str(trace)) if traced else ()
    done = _run(WATCH + WORK + END, places, *tool)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("SEEN []"), done.stdout
    assert [path.name for path in places[1].rglob("*") if path.is_file() and path.parent.name != "matplotlib"] == []
    if traced:
        home = os.path.realpath(places[1])
        fonts = (f'{home}/.config"', f'{home}/.cache"', f"{home}/.config/matplotlib", f"{home}/.cache/matplotlib")
        inside = (*(os.path.realpath(folder) for folder in (places[0], places[2])), *fonts)
        assert _strangers(trace.read_text(encoding="utf-8", errors="replace"), inside) == []


@pytest.mark.parametrize(
    "act",
    [
        "import socket; socket.getaddrinfo('localhost', 80)",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "(Path.home() / 'id').write_text('me')",
        "os.mkdir(Path.home() / 'id')",
    ],
)
def test_the_watch_sees(places: tuple[Path, Path, Path], act: str) -> None:
    done = _run(WATCH + act + "\nprint('SEEN', seen)", places)
    assert done.stdout.startswith("SEEN [("), done.stdout + done.stderr


def test_a_trace_is_understood() -> None:
    lines = [
        '12 socket(AF_INET, SOCK_DGRAM|SOCK_CLOEXEC, IPPROTO_IP) = 3',
        '12 connect(3, {sa_family=AF_INET, sin_port=htons(53)}, 16) = 0',
        '12 openat(AT_FDCWD, "/root/.cache/id", O_WRONLY|O_CREAT, 0666) = 3',
        '12 mkdir("/root/.cache/Microsoft", 0700) = 0',
    ]  # fmt: skip
    harmless = [
        '12 socket(AF_UNIX, SOCK_STREAM, 0) = 3',
        '12 openat(AT_FDCWD, "/usr/lib/libc.so", O_RDONLY|O_CLOEXEC) = 3',
        '12 openat(AT_FDCWD, "/tmp/here/a.json", O_WRONLY|O_CREAT, 0666) = 3',
        '12 openat(AT_FDCWD, "/dev/null", O_RDWR) = 3',
    ]  # fmt: skip
    assert _strangers("\n".join([*lines, *harmless]), ("/tmp/here",)) == lines
