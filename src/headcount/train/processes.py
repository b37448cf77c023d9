"""Starting the processes of a run on one machine, joining them, and ending them all, whatever ends one.

The process that ``train`` is called in is the first; the others are fresh interpreters that import nothing of the
caller's, so that a script without a main guard, a notebook or a test can start them. Each ends when the first one does,
however it ends: then the pipe that it reads from closes.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import distributed

from headcount.core.errors import HeadcountError, InputError
from headcount.core.threads import usable_cores
from headcount.train.group import Group, described, rebuilt
from headcount.train.places import Place
from headcount.train.recipe import Recipe

if TYPE_CHECKING:  # some builds of torch do without, and learn in one process
    from torch.distributed import Store, TCPStore  # type: ignore[attr-defined]

_HERE = "127.0.0.1"
_FAILED, _BROKEN, _READY = "headcount/failed", "headcount/broken", "headcount/ready"
_GRACE_SECONDS = 10.0
"""What a process that failed has to say why, and one that is told to end to do so."""
_KILLED_SECONDS = 1.0
"""How long after its connections broke a process that was killed is seen to be."""


@contextmanager
def joined(recipe: Recipe, place: Place) -> Iterator[Group]:
    """The processes of a run, from the first of them or from one that torchrun started; all end with this.

    Raises:
        InputError: this process works together with others already.
        HeadcountError: what ended another process, in its words.
    """
    if place.processes == 1:
        yield Group(recipe, place)
        return
    if distributed.is_initialized():
        raise InputError(
            "This process is one of a group of torch.distributed already: train in a process that is not, or end that "
            "group before."
        )
    if place.started:
        from torch.distributed.rendezvous import rendezvous

        store = next(rendezvous("env://", timeout=timedelta(minutes=30)))[0]
        with member(recipe, place, store) as group:
            yield group
    else:
        with _others(recipe, place) as others, member(recipe, place, others.store, others) as group:
            yield group


@contextmanager
def member(
    recipe: Recipe, place: Place, store: Store, others: _Others | None = None
) -> Iterator[Group]:  # fmt: skip
    """A process among others, of which it hears by a store; what ends it is told there."""
    try:
        if others is not None:
            others.wait_until_ready()
        elif not place.started:
            store.add(_READY, 1)
        with _on_loopback(not place.started):
            backend = "nccl" if place.accelerator == "cuda" else "gloo"
            distributed.init_process_group(backend, store=store, rank=place.rank, world_size=place.processes)
            group = Group(recipe, place)
        yield group
    except HeadcountError as error:
        _tell(store, error)
        raise
    except Exception as error:
        # A connection that broke says nothing of why the other end closed it.
        told = others.ending() if others is not None and isinstance(error, RuntimeError) else _told(store)
        if told is not None:
            raise told from error
        kind = type(error).__name__
        failed = HeadcountError(f"A process of the run failed ({kind}: {_line(error)}): resume the run.")
        # It may be no more than a broken connection: the first process sees which of the others was killed.
        is_seen = isinstance(error, RuntimeError) and others is None and not place.started
        if not _tell(store, failed, _BROKEN if is_seen else _FAILED):
            raise HeadcountError("The first process of the run ended.") from error
        raise
    except BaseException:
        _tell(store, HeadcountError("The run was stopped."))
        raise
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


@contextmanager
def _on_loopback(here: bool) -> Iterator[None]:
    """gloo listens where no other machine reaches it, if all processes are on this one."""
    name = "GLOO_SOCKET_IFNAME"
    loopback = [one for _, one in socket.if_nameindex() if one.startswith("lo")] if here and os.name != "nt" else []
    if not loopback or name in os.environ:
        yield
        return
    os.environ[name] = loopback[0]
    try:
        yield
    finally:
        del os.environ[name]


class _Others:
    """The processes that the first one started."""

    def __init__(self, store: TCPStore, processes: list[subprocess.Popen[bytes]]) -> None:
        self.store, self.processes = store, processes

    def wait_until_ready(self) -> None:
        """Until all of them are there.

        Raises:
            HeadcountError: one ended instead.
        """
        while self.store.add(_READY, 0) < len(self.processes):
            if any(process.poll() is not None for process in self.processes):
                raise self.ending() or HeadcountError("A process of the run ended: start it again.")
            time.sleep(0.05)

    def ending(self) -> HeadcountError | None:
        """Why another process ended, if one did or is about to."""
        until, broken = time.monotonic() + _GRACE_SECONDS, None
        while time.monotonic() < until:
            codes = {number: process.poll() for number, process in enumerate(self.processes, 2)}
            if told := _told(self.store):
                return told
            if broken is None and (broken := _told(self.store, _BROKEN)) is not None:
                until = time.monotonic() + _KILLED_SECONDS
            ended = {number: code for number, code in codes.items() if code is not None and (code < 0 or not broken)}
            for number, code in ended.items():
                return HeadcountError(
                    f"Process {number} of {len(self.processes) + 1} ended without a word ({_word(code)}): "
                    "see whether the memory was enough, and resume the run.",
                    remedy="resume",
                )
            time.sleep(0.05)
        return broken

    def end(self) -> None:
        """Let all of them end, and end those that do not."""
        for process in self.processes:
            if process.stdin is not None:
                with suppress(OSError):
                    process.stdin.close()
        until = time.monotonic() + _GRACE_SECONDS
        for process in self.processes:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _others(recipe: Recipe, place: Place) -> Iterator[_Others]:
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    listening = socket.create_server((_HERE, 0))
    port = listening.getsockname()[1]
    store = TCPStore(
        _HERE, port, is_master=True, wait_for_workers=False, master_listen_fd=listening.detach(),
        use_libuv=os.name != "nt",  # torch is built without there
    )  # fmt: skip
    others = _Others(store, [])
    try:
        for rank in range(1, place.processes):
            others.processes.append(_start(recipe, replace(place, rank=rank, local_rank=rank), port))
        yield others
    finally:
        others.end()


def _start(recipe: Recipe, place: Place, port: int) -> subprocess.Popen[bytes]:
    """A process of its own session: Ctrl-C at a terminal is told to the first alone, which tells the others.

    It imports what the first does, nothing out of the folder that it is in (``-P``), and takes as many threads.
    """
    paths = [path or str(Path.cwd()) for path in sys.path]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "headcount.train.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    recipe = recipe.model_copy(update={"threads": torch.get_num_threads()})
    order = {"recipe": json.loads(recipe.model_dump_json()), "place": asdict(place), "port": port}
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it ended already, which is seen
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
    return process


def store_at(port: int) -> Store:
    """The store of the first process on this machine."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    return TCPStore(_HERE, port, is_master=False)


def _tell(store: Store, error: HeadcountError, key: str = _FAILED) -> bool:
    """Whether anybody was there to hear it; of several errors, the first one counts."""
    try:
        store.compare_set(key, "", json.dumps(described(error)))
    except RuntimeError:
        return False
    return True


def _told(store: Store, key: str = _FAILED) -> HeadcountError | None:
    with suppress(RuntimeError):
        if store.check([key]):
            return rebuilt(json.loads(store.get(key)))
    return None


def _word(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"code {code}"


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]


def share_threads(recipe: Recipe, place: Place) -> int | None:
    """The threads that are asked for; else each process of a machine takes its share of the cores.

    None: as where there is one process.
    """
    if recipe.threads is not None or place.local_processes == 1 or "OMP_NUM_THREADS" in os.environ:
        return recipe.threads
    return max(1, min(usable_cores(), torch.get_num_threads()) // place.local_processes)
