"""Jobs on the disk: what was sent, how far it is, and its results; whole after every image, whatever happens next.

A job is a folder: ``job.json`` (what it is), ``files.json`` (what is counted), ``files/`` (what was uploaded, under
numbers of ours), ``results.jsonl`` and ``results.csv``, and ``progress.json``: how far both are, so that what was
written behind it when the machine stopped is cut off before going on.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from headcount.core.errors import InputError
from headcount.core.files import write_json
from headcount.core.writers import writer_row
from headcount.serve.limits import Limits
from headcount.serve.schema import JobState
from headcount.serve.work import JobWork, Step

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_ID_LENGTH = 12
_NO_DISK = "The jobs that are kept take all the disk that they may: delete those that are done."


class NoRoomError(Exception):
    """No job more, or no byte more, is kept; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class JobFile:
    """A file of a job: where it lies, what it is called, and whether it is a video."""

    path: Path
    name: str
    is_video: bool


@dataclass(slots=True)
class Progress:
    """How far a job is: the next step, and how much of its results counts."""

    file: int = 0
    index: int = 0
    jsonl_bytes: int = 0
    csv_bytes: int = 0
    counted: int = 0
    problems: int = 0


@dataclass(slots=True)
class Job:
    """A job; only its store changes it."""

    id: str
    folder: Path
    model: str
    every_s: float
    made_at: datetime
    files: tuple[JobFile, ...] = ()
    notes: tuple[str, ...] = ()
    state: str = "waiting"
    reason: str = ""
    ended_at: datetime | None = None
    bytes: int = 0
    progress: Progress = field(default_factory=Progress)

    @property
    def is_ended(self) -> bool:
        """Whether nothing more is done for it."""
        return self.state in ("done", "failed")


class JobStore:
    """All jobs of a folder; several threads may use it.

    Args:
        folder: where they are kept; made where it is not there. Those of an earlier server are gone on with.

    Raises:
        InputError: it cannot be made or read.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder, self._limits = folder.resolve(), limits
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._arriving: dict[Path, int] = {}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for each in sorted(self.folder.iterdir()):
                if (each / "job.json").is_file():
                    self._read(each)
                elif each.is_dir() and len(each.name) == _ID_LENGTH and (each / "files").is_dir():
                    shutil.rmtree(each, ignore_errors=True)  # its upload was cut off
        except OSError as error:
            raise InputError(f'The folder "{folder}" cannot be used for jobs ({error.strerror or error}).') from error

    def _read(self, folder: Path) -> None:
        try:
            told = json.loads((folder / "job.json").read_text(encoding="utf-8"))
            files = json.loads((folder / "files.json").read_text(encoding="utf-8"))
            progress = Progress()
            with suppress(OSError, ValueError):
                progress = Progress(**json.loads((folder / "progress.json").read_text(encoding="utf-8")))
            job = Job(
                told["id"], folder, told["model"], told["every_s"], datetime.fromisoformat(told["made_at"]),
                tuple(JobFile(Path(path), name, is_video) for path, name, is_video in files), tuple(told["notes"]),
                told["state"], told["reason"],
                None if told["ended_at"] is None else datetime.fromisoformat(told["ended_at"]),
                _bytes_below(folder), progress,
            )  # fmt: skip
            if job.state == "running":
                job.state = "waiting"
            for name, length in (("results.jsonl", progress.jsonl_bytes), ("results.csv", progress.csv_bytes)):
                if not job.is_ended and (folder / name).exists():
                    os.truncate(folder / name, length)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f'The job in "{folder}" cannot be read ({error}): take the folder away.') from error
        self._jobs[job.id] = job

    def new_upload(self) -> Upload:
        """Room for the files of a new job.

        Raises:
            NoRoomError: no job more is kept.
        """
        folder = self.folder / "".join(secrets.choice(_LETTERS) for _ in range(_ID_LENGTH))
        with self._lock:
            self._refuse_full()
            self._arriving[folder] = 0
        try:
            return Upload(self, folder, self._limits)
        except OSError:
            self.forget(folder)
            raise

    def arrived(self, folder: Path, number: int) -> None:
        """So many bytes more came of an upload.

        Raises:
            NoRoomError: all jobs together take too much.
        """
        with self._lock:
            self._arriving[folder] = self._arriving.get(folder, 0) + number
            if self.bytes > self._limits.jobs_bytes:
                raise NoRoomError(_NO_DISK)

    def forget(self, folder: Path) -> None:
        """An upload is over."""
        with self._lock:
            self._arriving.pop(folder, None)

    def _refuse_full(self) -> None:
        number = len(self._jobs) + len(self._arriving)
        if number >= self._limits.most_jobs:
            raise NoRoomError(f"{number} jobs are kept, and no more: delete those that are done.")
        if self.bytes >= self._limits.jobs_bytes:
            raise NoRoomError(_NO_DISK)

    @property
    def bytes(self) -> int:
        """What all jobs take on the disk, with those that arrive just now."""
        with self._lock:
            return sum(job.bytes for job in self._jobs.values()) + sum(self._arriving.values())

    def add(
        self, folder: Path, files: tuple[JobFile, ...], *, model: str, every_s: float, notes: tuple[str, ...] = ()
    ) -> Job:
        """Take a job on; its files are there.

        Raises:
            NoRoomError: no job more is kept.
            InputError: it cannot be written.
        """
        job = Job(folder.name, folder, model, every_s, datetime.now(UTC), files, notes)
        with self._lock:
            self.forget(folder)
            self._refuse_full()
            folder.mkdir(exist_ok=True)
            write_json(folder / "files.json", [[str(file.path), file.name, file.is_video] for file in files])
            self._write(job)
            job.bytes = _bytes_below(folder)
            self._jobs[job.id] = job
        return job

    def _write(self, job: Job) -> None:
        told: dict[str, Any] = {
            "id": job.id, "model": job.model, "every_s": job.every_s, "made_at": job.made_at.isoformat(),
            "state": job.state, "reason": job.reason, "notes": list(job.notes),
            "ended_at": None if job.ended_at is None else job.ended_at.isoformat(),
        }  # fmt: skip
        write_json(job.folder / "job.json", told)

    def find(self, job_id: str) -> Job | None:
        """The job of an id."""
        with self._lock:
            return self._jobs.get(job_id)

    def states(self) -> list[JobState]:
        """What is told of all jobs, the newest first."""
        with self._lock:
            jobs = sorted(self._jobs.values(), key=lambda job: job.made_at, reverse=True)
            return [self.state(job) for job in jobs]

    def state(self, job: Job) -> JobState:
        """What is told of a job."""
        keep = timedelta(seconds=self._limits.keep_jobs_s)
        return JobState(
            id=job.id, state=job.state, reason=job.reason, made_at=job.made_at, ended_at=job.ended_at,
            deleted_after=None if job.ended_at is None else job.ended_at + keep,
            model=job.model, every_s=job.every_s, files=len(job.files), files_done=job.progress.file,
            counted=job.progress.counted, problems=job.progress.problems, notes=list(job.notes),
        )  # fmt: skip

    def next_work(self) -> tuple[Job, JobWork] | None:
        """The next step of the oldest job that has one."""
        with self._lock:
            for job in sorted(self._jobs.values(), key=lambda job: job.made_at):
                if job.is_ended:
                    continue
                if job.progress.file >= len(job.files):
                    self.end(job)
                    continue
                if job.state == "waiting":
                    job.state = "running"
                    try:
                        self._write(job)
                    except (OSError, InputError) as error:  # its disk is full, or gone
                        text = error.message if isinstance(error, InputError) else str(error)
                        self.end(job, f"It cannot be begun: {text}")
                        continue
                file = job.files[job.progress.file]
                every_s = job.every_s if file.is_video else 0.0
                return job, JobWork(job.id, file.path, file.name, job.model, every_s, job.progress.index)
            return None

    def took(self, job: Job, step: Step) -> None:
        """Keep what came of a step. A disk that takes no more ends the job."""
        with self._lock:
            if job.id not in self._jobs or job.is_ended:
                return  # deleted meanwhile
            try:
                self._append(job, step)
            except OSError as error:
                self.end(job, f"Its results cannot be written ({(error.strerror or str(error)).lower()}): make room.")
                return
            if self.bytes > self._limits.jobs_bytes:
                self.end(job, "The jobs that are kept take all the disk that they may: delete some, and begin again.")

    def _append(self, job: Job, step: Step) -> None:
        progress = job.progress
        if step.line:
            progress.jsonl_bytes += _append(job.folder / "results.jsonl", step.line + "\n", progress.jsonl_bytes)
        if step.row:
            head = "" if progress.csv_bytes else writer_row(Path("results.csv"), many=True).load().head
            progress.csv_bytes += _append(job.folder / "results.csv", head + step.row, progress.csv_bytes)
        progress.counted += step.is_counted
        progress.problems += step.is_problem
        progress.index = 0 if step.is_last else progress.index + 1
        progress.file += step.is_last
        job.bytes += len(step.line) + len(step.row) + 1
        told = {name: getattr(progress, name) for name in Progress.__slots__}
        partial = job.folder / "progress.json.part"
        partial.write_text(json.dumps(told), encoding="utf-8")
        partial.replace(job.folder / "progress.json")

    def end(self, job: Job, reason: str = "") -> None:
        """Nothing more is done for it; with a ``reason`` it failed."""
        with self._lock:
            job.state, job.reason, job.ended_at = "failed" if reason else "done", reason, datetime.now(UTC)
            with suppress(OSError, InputError):  # a full disk: then it is told until the server stops
                self._write(job)

    def delete(self, job: Job) -> None:
        """Forget it, with all of its files."""
        with self._lock:
            self._jobs.pop(job.id, None)
        shutil.rmtree(job.folder, ignore_errors=True)

    def delete_old(self) -> None:
        """Throw away what ended long enough ago."""
        before = datetime.now(UTC) - timedelta(seconds=self._limits.keep_jobs_s)
        with self._lock:
            old = [job for job in self._jobs.values() if job.ended_at is not None and job.ended_at < before]
        for job in old:
            self.delete(job)


class Upload:
    """The files of a job while they arrive; they lie in the job's folder, under numbers."""

    def __init__(self, store: JobStore, folder: Path, limits: Limits) -> None:
        self.folder, self._store, self._limits = folder, store, limits
        self._files: list[tuple[Path, str]] = []
        self._open: BinaryIO | None = None
        (folder / "files").mkdir(parents=True)

    def open(self, name: str) -> BinaryIO:
        """A file to write the next one to.

        Raises:
            NoRoomError: there are too many.
        """
        self.close()
        if len(self._files) >= self._limits.job_files:
            raise NoRoomError(f"A job has at most {self._limits.job_files:,} files.")
        suffix = Path(name).suffix.lower()
        suffix = suffix if suffix[1:].isalnum() and suffix.isascii() and len(suffix) <= 8 else ""
        path = self.folder / "files" / f"{len(self._files) + 1:06}{suffix}"
        self._files.append((path, name))
        self._open = path.open("wb")
        return self._open

    def arrived(self, number: int) -> None:
        """So many bytes more came.

        Raises:
            NoRoomError: all jobs together take too much.
        """
        self._store.arrived(self.folder, number)

    def close(self) -> None:
        """Close the file that is open."""
        if self._open is not None:
            self._open.close()
            self._open = None

    @property
    def files(self) -> list[tuple[Path, str]]:
        """Those that arrived: where they lie and what they are called."""
        return list(self._files)

    def drop(self) -> None:
        """Throw all of it away."""
        self.close()
        self._store.forget(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)


def _append(path: Path, text: str, at: int) -> int:
    """Write a text at a place of a file, its end but for what a full disk left there; how many bytes it has."""
    content = text.encode("utf-8", "backslashreplace")
    with path.open("r+b" if path.exists() else "wb") as file:
        file.seek(at)
        file.truncate()
        file.write(content)
    return len(content)


def _bytes_below(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
