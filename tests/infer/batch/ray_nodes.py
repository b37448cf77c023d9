"""A Ray cluster of several nodes, each its own processes, on the loopback of this machine."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

HOST = "127.0.0.2"
"""On the loopback, and yet no name of it that Ray would put another address of this machine for."""
_OBJECTS_BYTES = 80 * 2**20
_TRIES = 3
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "DO_NOT_TRACK": "1",
    # On a busy machine a worker takes longer to start than Ray waits, which then starts another, and so on.
    "RAY_worker_register_timeout_seconds": "600", "RAY_worker_niceness": "0", "RAY_kill_idle_workers_interval_ms": "0",
    "RAY_prestart_worker_first_driver": "0",
}  # fmt: skip


class Nodes:
    """A cluster with one processor a node."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster: Any = _tried(
            lambda: Cluster(initialize_head=True, head_node_args=_options(include_dashboard=False))
        )
        self.address: str = self.cluster.address

    def add(self) -> None:
        """Have one more node."""
        _tried(lambda: self.cluster.add_node(**_options()))

    def kill_counting(self) -> bool:
        """Kill all processes of a node that counts and is not the head; whether there was one."""
        counting = self._parents_of_workers()
        for node in self.cluster.worker_nodes:
            if _raylet(node) in counting:
                self._remove(node)
                return True
        return False

    def kill_worker(self) -> bool:
        """Kill a process that counts; whether there was one."""
        for process in self.worker_processes():
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
                return True
        return False

    def worker_processes(self) -> list[int]:
        """The processes of this cluster that count."""
        return list(self._parents_of_workers().values())

    def _parents_of_workers(self) -> dict[int, int]:
        """The raylets that have a process that counts: theirs → that."""
        raylets = {_raylet(node) for node in self.cluster.list_all_nodes()}
        return {
            parent: process
            for process, parent, command in _processes()
            if parent in raylets and command.startswith("ray::") and "ChunkCounter" in command
        }

    def _remove(self, node: Any) -> None:
        """Kill a node with all that it has started, some of which would live on for minutes."""
        family = _family_of({each.process.pid for kind in node.all_processes.values() for each in kind})
        with suppress(Exception):
            self.cluster.remove_node(node, allow_graceful=False)
        for process in family:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)

    def end(self) -> None:
        """End all of its processes."""
        head = self.cluster.head_node
        for node in [*self.cluster.worker_nodes, *([] if head is None else [head])]:
            self._remove(node)


@contextmanager
def nodes(count: int) -> Iterator[Nodes]:
    """A cluster of so many nodes, and this process connected to it; all of it is ended, whatever happens."""
    kept = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    import ray

    ended = threading.Event()
    threading.Thread(target=_hurry, args=(ended,), daemon=True).start()
    made: Nodes | None = None
    try:
        made = Nodes()
        for _ in range(count - 1):
            made.add()
        ray.init(made.address, log_to_driver=False, logging_level="ERROR")
        yield made
    finally:
        ended.set()
        with suppress(Exception):
            ray.shutdown()
        if made is not None:
            made.end()
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _options(**more: Any) -> dict[str, Any]:
    return {
        "num_cpus": 1, "object_store_memory": _OBJECTS_BYTES, "node_ip_address": HOST, "include_log_monitor": False,
        "no_monitor": True, "runtime_env_agent_port": _free_port(), **more,
    }  # fmt: skip


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


def _tried(start: Any) -> Any:
    for attempt in range(_TRIES):
        try:
            return start()
        except Exception:
            if attempt == _TRIES - 1:
                raise
    raise AssertionError


def _hurry(ended: threading.Event) -> None:
    """Say for a node's helpers which ports they have: none, but for the one that is settled.

    Ray ends a node whose helpers have not said so within fifteen seconds, which on a busy machine is not long enough.
    """
    told: set[int] = set()
    while not ended.wait(0.05):
        for process, _, command in _processes():
            if process in told or not command.split("\0", 1)[0].endswith("raylet/raylet"):
                continue
            words = (word[2:].split("=", 1) for word in command.split("\0") if word.startswith("--") and "=" in word)
            options = {word[0]: word[1] for word in words}
            if options.get("node_ip_address") != HOST:
                continue
            told.add(process)
            ports = dict.fromkeys(("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port"), "-1")
            ports["runtime_env_agent_port"] = options["runtime_env_agent_port"]
            for name, port in ports.items():
                path = Path(options["session_dir"]) / f"{name}_{options['node_id']}"
                with suppress(OSError):
                    path.exists() or path.write_text(port, encoding="utf-8")


def _raylet(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


def _family_of(roots: set[int]) -> set[int]:
    """Some processes with those that they started, and these, and so on."""
    parents = {process: parent for process, parent, _ in _processes()}
    found = set(roots)
    while more := {process for process, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _processes() -> Iterator[tuple[int, int, str]]:
    """The processes of this machine: number, parent's number, command."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            command = (folder / "cmdline").read_text(encoding="utf-8", errors="replace")
            parent = int((folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            yield int(folder.name), parent, command
