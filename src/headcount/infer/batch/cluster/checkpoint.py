"""Ray Data's own checkpoint of a run (2.60 has it; where a version lacks it, the run does without).

It tells a run that was killed and started again which chunks it need not hand out any more. What is done is said by the
parts alone: a run ends only when all are there, whatever a checkpoint said.
"""

from __future__ import annotations

from typing import Any

from headcount.infer.batch.plan import Plan

_FOLDER = "unfinished/ray"
_FILTER_BYTES = 2**26


def checkpoint_of(plan: Plan) -> Any | None:
    """The checkpoint in a batch's folder, as Ray takes it; None where this version of Ray has none."""
    try:
        from ray.data.checkpoint import CheckpointConfig
    except ImportError:
        return None
    folder, file_system = plan.store.parquet_source()
    if file_system is not None:
        from pyarrow.fs import FSSpecHandler, PyFileSystem

        file_system = PyFileSystem(FSSpecHandler(file_system))
    config = CheckpointConfig("chunk", f"{folder}/{_FOLDER}", override_filesystem=file_system)
    # Ray keeps a GiB for whoever leaves out what is done; numbers of chunks need far less.
    config.checkpoint_actor_memory_bytes = _FILTER_BYTES
    config.checkpoint_actor_pool_max_size = 1
    return config


def is_there(config: Any) -> bool:
    """Whether a run before left its checkpoint."""
    from pyarrow.fs import FileType

    return bool(config.filesystem.get_file_info(config.checkpoint_path).type != FileType.NotFound)


def forget(config: Any) -> None:
    """Delete a checkpoint, if it is there."""
    if is_there(config):
        config.filesystem.delete_dir(config.checkpoint_path)
