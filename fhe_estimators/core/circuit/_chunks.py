"""Rows in parts, one for each call of a program, and how they are computed."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

import numpy as np

from fhe_estimators._progress import shown
from fhe_estimators.core.circuit._packing import Packing
from fhe_estimators.core.circuit._processes import computed
from fhe_estimators.core.circuit._shards import Divided
from fhe_estimators.core.engine import Integers

#: Seconds between two encryptions in which another thread may start to compute: it cannot
#: take the interpreter's lock otherwise before the next encryption is over.
_PAUSE = 1e-4


@dataclass(frozen=True)
class Plan:
    """How many rows one call takes: `rows` ciphertexts with `packing.slots` rows each."""

    rows: int = 1
    packing: Packing | None = None

    @property
    def capacity(self) -> int:
        return self.rows * (self.packing.slots if self.packing else 1)

    def pack(self, array: np.ndarray) -> np.ndarray:
        packed = self.packing.pack(array) if self.packing else array
        missing = self.rows - len(packed)
        return np.concatenate([packed, np.zeros((missing, *packed.shape[1:]), np.int64)])

    def unpack(self, array: np.ndarray, n_rows: int) -> np.ndarray:
        return self.packing.unpack(array, n_rows) if self.packing else array[:n_rows]


class Chunks(Sequence[list[np.ndarray]]):
    """Rows in parts that one call each takes."""

    def __init__(self, plan: Plan, arrays: Integers) -> None:
        self._plan, self._arrays = plan, arrays
        self.n_rows = len(arrays[0])
        self._starts = range(0, self.n_rows, plan.capacity)

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, number: Any) -> Any:
        start = self._starts[number]
        stop = start + self._plan.capacity
        return [self._plan.pack(array[start:stop]) for array in self._arrays]

    def unpacked(self, number: int, results: Integers) -> Integers:
        """Return the results of the rows of a chunk."""
        count = min(self._plan.capacity, self.n_rows - self._starts[number])
        return tuple(self._plan.unpack(array, count) for array in results)


def map_divided(
    divided: Divided, rows: np.ndarray, n_processes: int, progress: bool
) -> Integers:
    """Return the results of rows, each computed by several processes of joblib."""
    size = len(divided)

    def messages_of(number: int) -> list[bytes]:
        row, shard = divmod(number, size)
        return divided.messages(shard, rows[row : row + 1])

    count = len(rows) * size
    parts = computed(divided.part(), count, messages_of, n_processes)
    answers = list(shown(parts, "parts of rows", count, unit="part", progress=progress))
    starts = range(0, len(answers), size)
    found = [divided.joined(answers[start : start + size]) for start in starts]
    return (np.concatenate(found),)


def computed_here(
    chunks: Chunks,
    steps: tuple[Callable[..., Any], Callable[[Any], Any], Callable[[Any], Integers]],
    shares: bool,
) -> Iterator[Integers]:
    """Yield the results of three steps, one after the other, on chunks of rows.

    The first and the last (the client's) run here, as they hold the interpreter's lock; the
    one between (the server's) runs in threads, as it does not. So the encryption of a chunk
    overlaps the computation on those before.

    Parameters
    ----------
    chunks : Chunks
    steps : tuple of callable
    shares : bool
        Whether one call shares its work among the processors already.
    """
    before, compute, after = steps
    if len(chunks) == 1 or shares:
        for chunk in chunks:
            yield after(compute(before(*chunk)))
        return
    workers = os.cpu_count() or 1
    pending: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for chunk in chunks:
            run = copy_context().run
            pending.append(pool.submit(run, compute, before(*chunk)))
            time.sleep(_PAUSE)
            while len(pending) > 2 * workers:
                yield after(pending.popleft().result())
        while pending:
            yield after(pending.popleft().result())
