"""The sdist and the wheel of the last commit, the same bytes wherever and whenever they are built.

``python -m supply.wheel [FOLDER]``. What git tracks is taken out of the commit into an empty folder, so that neither
what lies in the checkout nor how its files may be read changes anything; times are the commit's. The wheel is built
from the sdist. Another version of setuptools writes other bytes, so that it is pinned in ``constraints/build.txt``;
so, rarely, does another zlib: compare builds of the same Python.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[1]
PIN = "constraints/build.txt"
_UMASK = 0o022
_TAKEN = ("LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "MANIFEST.in", "pyproject.toml", PIN, "src")


class BuildError(Exception):
    """Nothing could be built; one sentence says why."""


def build(checkout: Path, output: Path) -> list[Path]:
    """Build the last commit of a checkout; returns the sdist and the wheel, in ``output``.

    Raises:
        BuildError: the folder is no checkout, or the build failed.
    """
    moment = int(_git(checkout, "log", "-1", "--format=%ct"))
    commit = _git(checkout, "rev-parse", "HEAD")
    with tempfile.TemporaryDirectory(prefix="headcount-wheel-") as folder:
        place = Path(folder)
        source = place / "source"
        _unpack(io.BytesIO(_git_bytes(checkout, "archive", "--format=tar", commit, *_TAKEN)), source)
        _build("sdist", source, place / "sdist", moment)
        (made,) = (place / "sdist").glob("*.tar.gz")
        output.mkdir(parents=True, exist_ok=True)
        sdist = output / made.name
        sdist.write_bytes(_normal_archive(made.read_bytes(), moment))
        unpacked = place / "unpacked"
        _unpack(io.BytesIO(gzip.decompress(sdist.read_bytes())), unpacked)
        (inside,) = unpacked.iterdir()
        _build("wheel", inside, place / "wheel", moment)
        (made,) = (place / "wheel").glob("*.whl")
        wheel = output / made.name
        wheel.write_bytes(made.read_bytes())
    return [sdist, wheel]


def is_backend_here(checkout: Path = ROOT) -> bool:
    """Whether the pinned setuptools is installed beside this interpreter, so that a build needs no network."""
    try:
        return f"setuptools=={version('setuptools')}" in (checkout / PIN).read_text(encoding="utf-8").split()
    except PackageNotFoundError:
        return False


def _build(kind: str, source: Path, output: Path, moment: int) -> None:
    """Build in a folder of its own, in an environment of its own where the pinned setuptools is not here."""
    settings = {
        "SOURCE_DATE_EPOCH": str(moment), "PIP_CONSTRAINT": str(source / PIN), "PYTHONHASHSEED": "0", "TZ": "UTC",
        "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    # The checkout's own code must not be what is built, or builds.
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    isolation = ["--no-isolation"] if is_backend_here(source) else []
    done = subprocess.run(
        [sys.executable, "-m", "build", f"--{kind}", *isolation, "--outdir", output, source],
        env={**inherited, **settings}, cwd=output.parent, capture_output=True, text=True, check=False,
        **({"umask": _UMASK} if os.name == "posix" else {}),
    )  # fmt: skip
    if done.returncode:
        raise BuildError(f"The {kind} could not be built:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _unpack(archive: io.BytesIO, folder: Path) -> None:
    """Unpack regular files and folders alone, with the rights 644 and 755."""
    folder.mkdir()
    with tarfile.open(fileobj=archive) as packed:
        packed.extractall(folder, filter=_plain)


def _plain(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    safe = tarfile.data_filter(member, folder)
    return None if safe is None else safe.replace(mode=0o755 if safe.isdir() else 0o644, deep=False)


def _normal_archive(content: bytes, moment: int) -> bytes:
    """A ``.tar.gz`` with the same files in the order of their names, of one time and nobody's."""
    tar = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(content)) as given,
        tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as normal,
    ):
        for member in sorted(given.getmembers(), key=lambda one: one.name):
            plain = tarfile.TarInfo(member.name)
            plain.type, plain.size, plain.mtime = member.type, member.size, moment
            plain.mode = 0o755 if member.isdir() else 0o644
            normal.addfile(plain, given.extractfile(member) if member.isfile() else None)
    return gzip.compress(tar.getvalue(), mtime=moment)


def _git(checkout: Path, *arguments: str) -> str:
    return _git_bytes(checkout, *arguments).decode().strip()


def _git_bytes(checkout: Path, *arguments: str) -> bytes:
    done = subprocess.run(["git", "-C", checkout, *arguments], capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise BuildError(f'"{checkout}" is no checkout with a commit to build ({said}): clone the project again.')
    return done.stdout


def main() -> int:
    """Build, and print the files with their SHA-256."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist", help="where they go (dist)")
    try:
        if _git(ROOT, "status", "--porcelain", "--", *_TAKEN):
            print("Note: what is not committed is left out.", file=sys.stderr)
        made = build(ROOT, parser.parse_args().folder)
    except BuildError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(int(_git(ROOT, "log", "-1", "--format=%ct"))))
    print(f"commit {_git(ROOT, 'rev-parse', 'HEAD')} of {moment} UTC")
    for path in made:
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
