"""What benchmarks share: a clock, alternation, and the other interpreter."""

from __future__ import annotations

import importlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, TypeVar

from benchmarks import MODULE_OF
from benchmarks.report import Goal, Row

Named = TypeVar("Named")

#: Of a prediction, named as in the benchmarks of HomomorphicEncryption.org. Theirs have two
#: more, which move ciphertexts to where they are computed with and back: here these are in
#: memory all along.
STAGES = ("encode", "encrypt", "operate", "decrypt", "decode")
#: Seconds between measurements, for threads of the last one that wait by spinning.
_PAUSE = 0.3


@dataclass(frozen=True)
class Peer:
    """`peer.py`, run by another interpreter: one request and one answer a line."""

    python: str
    process: subprocess.Popen[str]
    #: What it writes to standard error, told only if it ends too early.
    errors: IO[str]

    @classmethod
    @contextmanager
    def started(cls, python: str) -> Iterator[Peer]:
        """Return a context with a peer that runs in it."""
        script = str(Path(__file__).with_name("peer.py"))
        with (
            tempfile.TemporaryFile("w+") as errors,
            subprocess.Popen(
                # -I keeps our modules and environment variables out of it.
                [python, "-I", "-W", "ignore", script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            ) as process,
        ):
            yield cls(python, process, errors)

    def ask(self, task: str, **request: Any) -> Any:
        """Return the answer to a request, a function of `peer.py` and its arguments."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        line = json.dumps({"task": task, **request}, default=lambda array: array.tolist())
        with suppress(BrokenPipeError):
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            self.process.wait()
            self.errors.seek(0)
            raise RuntimeError(f"The peer ended at {task!r}:\n{self.errors.read()}")
        content = json.loads(answer)
        if "error" in content:
            raise RuntimeError(f"The peer failed at {task!r}:\n{content['error']}")
        return content["answer"]


@dataclass(frozen=True)
class Setup:
    """What a benchmark is given: the other side, if any, and the number of rounds."""

    peer: Peer | None
    repeat: int

    def ask(self, task: str, **request: Any) -> Any:
        """Return the peer's answer, None without a peer."""
        return self.peer.ask(task, **request) if self.peer else None

    def alternate(self, *sides: Callable[[], Any]) -> list[Any]:
        """Return the median of each side, measured in turns: A B A B and so on.

        A side returns seconds, several of them in a dict, or None if it is absent.
        """
        rounds = []
        for _ in range(self.repeat):
            measured = []
            for side in sides:
                time.sleep(_PAUSE)
                measured.append(side())
            rounds.append(measured)
        return [median(values) for values in zip(*rounds, strict=True)]


def measure(name: str, python: str | None, repeat: int) -> list[Row]:
    """Run one benchmark in this process; `python` is the peer's interpreter."""
    with ExitStack() as stack:
        # Before anything large is imported: a process starts with the peak memory of the
        # one that it was started from.
        peer = stack.enter_context(Peer.started(python)) if python else None
        module = importlib.import_module(f"benchmarks.{MODULE_OF[name]}")
        rows: list[Row] = getattr(module, name)(Setup(peer, repeat))
    return rows


def chosen(cases: Iterable[Named]) -> list[Named]:
    """Return the cases with FHE_BENCH_CASES, an environment variable, in their names."""
    wanted = os.environ.get("FHE_BENCH_CASES", "")
    return [case for case in cases if wanted in str(case)]


def median(values: Sequence[Any]) -> Any:
    """Return the median of numbers, or of each entry of dicts; None if they are None."""
    if values[0] is None:
        return None
    if isinstance(values[0], dict):
        return {key: statistics.median(v[key] for v in values) for key in values[0]}
    return statistics.median(values)


def seconds(call: Callable[[], Any], times: int = 1) -> float:
    """Return the median seconds of a call that is made `times` times in a row."""
    measured = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        measured.append(time.perf_counter() - start)
    return statistics.median(measured)


class Clock:
    """Calls, and keeps the seconds that each took by its name."""

    def __init__(self) -> None:
        self.taken: dict[str, float] = {}

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        results: list[Any] = []
        self.taken[name] = seconds(lambda: results.append(call()))
        return results[0]


def in_milliseconds(taken: dict[str, Any]) -> Row:
    """Return columns of all stages and their total, None for a stage that is not there."""
    return {
        f"{stage} (ms)": taken[stage] * 1e3 if stage in taken else None
        for stage in (*STAGES, "total")
    }


def processor_seconds(call: Callable[[], Any]) -> float:
    """Return the processor time of a call, in all threads."""
    start = time.process_time()
    call()
    return time.process_time() - start


def ratio(ours: float, theirs: float | None) -> float | None:
    """Return how many times more the peer takes."""
    return theirs / ours if theirs is not None and ours else None


def against(
    what: str,
    unit: str,
    ours: Any,
    theirs: Any = None,
    goal: Callable[[float], Goal] | None = None,
) -> Row:
    """Return a row that compares with the peer; `goal` judges the ratio."""
    times = ratio(ours, theirs)
    return {
        "what": what,
        "unit": unit,
        "ours": ours,
        "peer": theirs,
        "peer / ours": times,
        "goal": goal(times) if goal and times is not None else None,
    }


def progress(text: str) -> None:
    """Tell who watches a long benchmark how far it is."""
    print(text, file=sys.stderr, flush=True)


def peak_memory() -> int:
    """Return the most bytes that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def versions() -> dict[str, Any]:
    """Return versions of our side, and the machine."""
    names = ("fhe-estimators", "concrete-python", "scikit-learn", "torch", "numpy")
    return {
        **{name: version(name) for name in names},
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
    }
