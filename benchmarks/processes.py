"""Ways to do something, each in a process of its own, measured in turn."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

REPOSITORY = Path(__file__).resolve().parents[1]
OURS = (sys.executable, "-m", "benchmarks.readers")
PANDAS = (str(REPOSITORY / ".venv-bench/bin/python"), "-m", "benchmarks.pandas_step")
POLLED_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Way:
    """One way, and where it runs.

    Attributes
    ----------
    repository
        Of its code: another commit's for what was before.
    """

    command: tuple[str, ...]
    repository: Path = REPOSITORY

    def run(self, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start it."""
        layers = os.pathsep.join(str(self.repository / "layers" / each) for each in ("exporter", "analytics"))
        return subprocess.Popen(  # noqa: S603 - our own command
            self.command,
            stdout=subprocess.PIPE,
            cwd=self.repository,
            env=os.environ | {"PYTHONPATH": layers} | (environment or {}),
        )


def ours(*arguments: object) -> Way:
    """Return a way of :mod:`benchmarks.readers`."""
    return Way((*OURS, *map(str, arguments)))


def pandas(*arguments: object) -> Way:
    """Return a way of :mod:`benchmarks.pandas_step`."""
    return Way((*PANDAS, *map(str, arguments)))


def as_before(*arguments: object) -> Way:
    """Return a way of :mod:`benchmarks.as_before`."""
    return Way((sys.executable, "-m", "benchmarks.as_before", *map(str, arguments)))


@dataclass(frozen=True, slots=True)
class Measured:
    """What one way took.

    Attributes
    ----------
    result
        What it returned, the first time.
    """

    seconds: float
    processor_seconds: float
    peak_mib: float
    result: dict[str, Any]


def measure(ways: Sequence[Way], rounds: int) -> list[Measured]:
    """Measure ways in turn, so that a drift of the machine meets all of them; medians of the rounds."""
    found: list[list[Measured]] = [[] for _ in ways]
    for _ in range(rounds):
        for tries, way in zip(found, ways, strict=True):
            begin, used = time.perf_counter(), processor_seconds()
            answer = answer_of(way.run(), way)
            seconds, used = time.perf_counter() - begin, processor_seconds() - used
            tries.append(Measured(seconds, used, answer["peak_mib"], answer.get("result", {})))
    return [
        Measured(
            statistics.median(each.seconds for each in tries),
            statistics.median(each.processor_seconds for each in tries),
            max(each.peak_mib for each in tries),
            tries[0].result,
        )
        for tries in found
    ]


def run(way: Way) -> dict[str, Any]:
    """Run a way once, and return its result."""
    answer: dict[str, Any] = answer_of(way.run(), way)["result"]
    return answer


def answer_of(process: subprocess.Popen[bytes], way: Way) -> dict[str, Any]:
    """Return what a process says in the end."""
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(way.command)} ended with {process.returncode}")
    answer: dict[str, Any] = json.loads(output)
    return answer


def with_local_bytes(way: Way) -> tuple[dict[str, Any], int]:
    """Run a way once, and return its answer and the most bytes that it had in its temporary folder, as far as was seen."""
    with tempfile.TemporaryDirectory() as folder:
        process = way.run({"TMPDIR": folder})
        most, is_over = [0], Event()

        def watch() -> None:
            while not is_over.wait(POLLED_SECONDS):
                most.append(_bytes_in(process.pid, Path(folder)))

        thread = Thread(target=watch)
        thread.start()
        try:
            answer = answer_of(process, way)
        finally:
            is_over.set()
            thread.join()
        return answer, max(most)


def _bytes_in(process_id: int, folder: Path) -> int:
    """Return the bytes of a folder's files; one that was deleted counts as long as the process has it open."""
    sizes: dict[int, int] = {}
    for path in [*_files(folder.rglob, "*"), *_files(Path(f"/proc/{process_id}/fd").glob, "*")]:
        try:
            status = path.stat()
            is_temporary = path.is_relative_to(folder) or path.readlink().is_relative_to(folder)
        except OSError:
            continue
        if is_temporary and path.is_file():
            sizes[status.st_ino] = status.st_size
    return sum(sizes.values())


def _files(find: Callable[[str], Iterator[Path]], pattern: str) -> list[Path]:
    try:
        return list(find(pattern))
    except OSError:
        return []


def processor_seconds() -> float:
    """Return what all processes that were started and waited for have used, and those that these waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
