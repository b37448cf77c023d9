"""The way to a Ray cluster and back, and what is asked of it before anything is counted there."""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from headcount.core.errors import InputError
from headcount.core.threads import usable_cores

_log = logging.getLogger(__name__)
_CONNECT_S = 10.0
_OBJECTS_BYTES = 2**27


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster that counts."""

    node_id: str
    name: str
    cpus: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """What of a cluster can count.

    Attributes:
        called: how it is named in messages.
        nodes: those with processors.
    """

    called: str
    nodes: tuple[Node, ...]

    def places(self, threads: int) -> int:
        """How many workers of so many threads find room."""
        return sum(node.cpus // threads for node in self.nodes)


def quiet_environment() -> None:
    """No usage statistics leave this machine, and Ray's words do not mix with ours; before Ray is imported."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("RAY_DEDUP_LOGS", "1")


@contextmanager
def connected(address: str, *, cpus: int | None = None) -> Iterator[Cluster]:
    """The cluster at an address, for as long as it is worked with.

    Args:
        address: ``local``, ``auto`` or HOST:PORT; where this process is connected already, that connection is used.
        cpus: of ``local``: how many processors may be used; None: those that this process may use.

    Raises:
        InputError: there is no cluster there, or none that this machine is a node of, or it cannot count.
    """
    quiet_environment()
    import ray

    with ExitStack() as ours:
        if not ray.is_initialized():
            options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
            ours.enter_context(_ray_in_the_log())
            if address == "local":
                options |= ours.enter_context(_of_its_own(cpus or usable_cores()))
            elif address != "auto":
                _refuse_unreachable(address)
            ours.callback(_disconnect)
            _connect(address, options)
        cluster = Cluster(_called(address), tuple(_nodes()))
        if not cluster.nodes:
            raise InputError(f"{cluster.called} has no processors to count with: add a node that has some.")
        yield cluster


def _connect(address: str, options: Mapping[str, Any]) -> None:
    import ray

    with _signals_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ray.init(address=address, **options)
        except (Exception, SystemExit) as error:
            raise _unconnected(address, error) from error


def _disconnect() -> None:
    import ray

    with suppress(Exception):
        ray.shutdown()


@contextmanager
def _of_its_own(cpus: int) -> Iterator[dict[str, Any]]:
    """What a Ray for this run alone is started with: it listens on the loopback alone, to who has its token, and leaves
    nothing behind: no token in the home folder, no logs among those of other clusters.
    """
    import ray._private.ray_constants as constants

    kept = {name: os.environ.get(name) for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")}
    if kept["RAY_AUTH_MODE"] is None:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    _forget_token()
    reaches_others = getattr(constants, "ENABLE_RAY_CLUSTER", None)
    constants.ENABLE_RAY_CLUSTER = False  # else it would take 127.0.0.1 for the machine's address in the network
    # Sockets lie in there, whose paths may have but a hundred signs.
    folder = tempfile.mkdtemp(prefix="headcount-", dir="/tmp" if os.access("/tmp", os.W_OK) else None)
    try:
        yield {
            "num_cpus": cpus, "include_dashboard": False, "object_store_memory": _OBJECTS_BYTES,
            "_node_ip_address": "127.0.0.1", "_temp_dir": folder,
        }  # fmt: skip
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        constants.ENABLE_RAY_CLUSTER = reaches_others
        for name, value in kept.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        _forget_token()


def _forget_token() -> None:
    """Have Ray look into the environment again for its token; versions without tokens have nothing to forget."""
    with suppress(ImportError, AttributeError):
        import ray._raylet as ray_itself

        parts: Any = ray_itself  # which has no types
        parts.Config.initialize("")
        parts.AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def _ray_in_the_log() -> Iterator[None]:
    """What Ray says of workers and machines that ended, which it prints among the results, goes to the log."""
    import ray._private.worker as module

    told = getattr(module, "print_to_stdstream", None)
    module.print_to_stdstream = lambda data, *_, **__: _log.debug("%s", "\n".join(map(str, data["lines"])))
    try:
        yield
    finally:
        if told is not None:
            module.print_to_stdstream = told


def _refuse_unreachable(address: str) -> None:
    """Ray itself waits for minutes where nobody answers."""
    if "://" in address:
        raise InputError(
            f'"{address}" is the address of a client\'s door to Ray, through which no table goes: start this on a '
            "machine of the cluster, with the address HOST:PORT of its head, or auto."
        )
    found = re.fullmatch(r"\[?([^\[\]]+)\]?:(\d{1,5})", address)
    if found is None or not 0 < int(found[2]) < 65536:
        raise InputError(f'"{address}" is no address of a Ray cluster: expected local, auto or HOST:PORT of its head.')
    try:
        socket.create_connection((found[1], int(found[2])), timeout=_CONNECT_S).close()
    except OSError as error:
        raise InputError(
            f'No Ray cluster answers at "{address}" ({error.strerror or error}): check the address of its head and the '
            "way there."
        ) from error


def _unconnected(address: str, error: BaseException) -> InputError:
    if address == "local":
        return InputError(f"Ray does not start on this machine ({short(error)}): see to that, or count without it.")
    if address == "auto":
        return InputError(
            f"This machine is a node of no running Ray cluster ({short(error)}): start one, or give its address."
        )
    return InputError(
        f'The Ray cluster at "{address}" takes no work from here ({short(error)}): start this on one of its nodes, '
        "with the same versions of Ray and Python."
    )


def short(error: BaseException) -> str:
    """The first line of an error, without what follows of a stack."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return text[:200].rstrip(".:") or type(error).__name__


def _called(address: str) -> str:
    return {"local": "Ray on this machine", "auto": "The Ray cluster of this machine"}.get(
        address, f'The Ray cluster at "{address}"'
    )


def _nodes() -> Iterator[Node]:
    import ray

    nodes: Any = ray.nodes  # which has no types
    for found in nodes():
        cpus = int(found["Resources"].get("CPU", 0))
        if found["Alive"] and cpus:
            yield Node(found["NodeID"], f"{found['NodeManagerHostname']} ({found['NodeManagerAddress']})", cpus)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes the signal that ends a process for itself; the run has its own way to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
