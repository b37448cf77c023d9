"""A batch on a Ray cluster: chunks of the plan by number to workers, which write the parts themselves.

Ray is the "ray" extra; nothing of it is imported before a run is made with ``ray_run``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headcount.core.errors import MissingExtraError
from headcount.core.table import is_installed
from headcount.infer.batch.cluster.connection import quiet_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from headcount.core.notes import Skipped
    from headcount.infer.batch.cluster.run import RayRun
    from headcount.infer.batch.plan import Plan
    from headcount.infer.batch.run import BatchEvent
    from headcount.infer.batch.settings import BatchSettings

_NEEDED = ("ray", "pyarrow", "pandas")
"""What Ray Data needs of Ray's own extra, too: Ray may be there without."""


def require_ray() -> None:
    """Stop where Ray Data is not installed; where it is, have it send nothing anywhere before it is imported.

    Raises:
        MissingExtraError: it is not.
    """
    quiet_environment()
    if not all(is_installed(package) for package in _NEEDED):
        raise MissingExtraError("Counting on Ray", "ray")


def ray_run(plan: Plan, settings: BatchSettings, *, address: str = "local", workers: int | None = None) -> RayRun:
    """A run of what is missing of a plan on Ray; see ``RayRun``.

    Raises:
        MissingExtraError: Ray is not installed.
        InputError: as of ``RayRun``.
    """
    require_ray()
    from headcount.infer.batch.cluster.run import RayRun

    return RayRun(plan, settings, address=address, workers=workers)


def count_on_ray(
    sources: list[str], output: str | Path, *, settings: BatchSettings, address: str = "local",
    workers: int | None = None, recursive: bool = False,
) -> Iterator[BatchEvent | Skipped]:  # fmt: skip
    """Count all images and videos of some sources on Ray, or what is missing of them in ``output``.

    Args:
        sources: manifests, folders, patterns, addresses; see ``headcount.data.manifests``.
        output: the folder of the results, a path or an address that all nodes reach.
        settings: what to count with.
        address: ``local`` (a Ray of its own on this machine), ``auto`` (the cluster that this machine is a node of) or
            that cluster's HOST:PORT.
        workers: how many count; None: one for so many processors of the cluster as each has threads.
        recursive: images in folders inside folders, too.

    Yields:
        What is done and what cannot be, as it comes.

    Raises:
        HeadcountError: as of ``ray_run``, ``make_plan`` and ``RayRun.run``.
    """
    require_ray()
    from headcount.data.manifests.entries import ManifestOptions
    from headcount.data.manifests.table import read_manifests
    from headcount.infer.batch.plan import make_plan
    from headcount.infer.batch.store import open_store

    settings = settings.resolved()
    entries = read_manifests(sources, ManifestOptions(recursive=recursive))
    plan = make_plan(open_store(output), settings.described(settings.open()), entries)
    yield from plan.notes
    yield from ray_run(plan, settings, address=address, workers=workers).run()
