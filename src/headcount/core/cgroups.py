"""The control groups around this process (Linux, both versions): what a container or a service manager allows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def control_groups(controller: str, root: Path = Path("/")) -> Iterator[Path]:
    """The folders of all groups around this process that may limit a resource, ``cpu`` or ``memory``."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        base = root / "sys/fs/cgroup" / controllers
        folder = base / place.strip("/")
        # In a container the place may be the host's, which is not to be seen inside: the group itself lies at the base.
        for group in [folder, *folder.parents]:
            if group == base.parent:
                break
            yield group
