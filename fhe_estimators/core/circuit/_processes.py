"""Rows that are computed in the processes of a joblib backend.

With ``joblib.parallel_config("loky" | "dask" | "ray", n_jobs=...)`` encrypted rows go to
the workers of that backend. They are the servers: they get programs, evaluation keys and
ciphertexts, and never a key that decrypts.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
import sys
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from threading import Lock

import numpy as np
from joblib import Parallel, delayed
from joblib.parallel import MultiprocessingBackend, get_active_backend

from fhe_estimators.core.engine import Part, dumped

logger = logging.getLogger(__name__)

#: How often in a row workers may be lost without a result between.
_MOST_LOSSES = 3
#: Programs that a worker keeps ready, with keys of about 140 MB each: joblib replaces a
#: worker that has grown by 300 MB.
_MOST_READY = 1
#: Tasks for each worker, if there are enough rows, and calls in one task at most.
_TASKS_EACH, _MOST_CALLS = 4, 16

#: The messages of one call.
Messages = list[bytes]


def processes() -> int:
    """Return how many processes the joblib backend in force has; 0 if it is none of such.

    Threads gain nothing over those of one call. The backend ``multiprocessing`` forks,
    which the engine's threads do not survive.
    """
    backend, n_jobs = get_active_backend()
    # Not every backend says both.
    in_threads = any(
        getattr(backend, what, False) for what in ("uses_threads", "supports_sharedmem")
    )
    if in_threads or type(backend) is MultiprocessingBackend:
        return 0
    found = backend.effective_n_jobs(backend.default_n_jobs if n_jobs is None else n_jobs)
    return int(found) if found > 1 else 0


def computed(
    part: Part, n_calls: int, messages_of: Callable[[int], Messages], n_processes: int
) -> Iterator[Messages]:
    """Yield the results of calls, in order, computed by the backend that is in force.

    Parameters
    ----------
    part : Part
        Sent once to each worker.
    n_calls : int
    messages_of : callable
        From the number of a call to what is encrypted for it.
    n_processes : int

    Raises
    ------
    concurrent.futures.process.BrokenProcessPool
        If workers end again and again, as ``ray.exceptions.RayActorError`` of Ray; what was
        lost with fewer is computed again.
    """
    size = max(1, min(_MOST_CALLS, n_calls // (_TASKS_EACH * n_processes)))
    tasks = [range(n_calls)[start : start + size] for start in range(0, n_calls, size)]
    # Backends write, or send, an array once, however many tasks it is part of.
    content = np.frombuffer(dumped(part), np.uint8)
    digest = hashlib.sha256(content.data).hexdigest()
    backend, _ = get_active_backend()
    streams = getattr(backend, "supports_return_generator", False)
    form = "generator" if streams else "list"
    done, losses = 0, 0
    while done < len(tasks):
        calls = (
            delayed(_compute)(digest, content, [messages_of(number) for number in numbers])
            for numbers in tasks[done:]
        )
        try:
            for results in Parallel(return_as=form, batch_size=1, max_nbytes=1)(calls):
                done, losses = done + 1, 0
                yield from results
        except _lost_workers():
            losses += 1
            if losses > _MOST_LOSSES:
                raise
            logger.warning("a worker was lost: its rows are computed again")


def _lost_workers() -> tuple[type[Exception], ...]:
    """Return the errors of backends whose workers ended; Dask computes again itself."""
    ray = sys.modules.get("ray.exceptions")
    return (BrokenProcessPool,) if ray is None else (BrokenProcessPool, ray.RayActorError)


def _compute(digest: str, content: np.ndarray, calls: list[Messages]) -> list[Messages]:
    """Return the results of calls, in a worker."""
    with _loading:  # two threads of one worker would load the same
        run = _ready(_Sent(digest, content))
    return [run(messages) for messages in calls]


class _Sent:
    """A pickled part, which is told apart by its digest."""

    def __init__(self, digest: str, content: np.ndarray) -> None:
        self._digest = digest
        self._content: np.ndarray | None = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Sent) and other._digest == self._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def load(self) -> Part:
        """Return the part, once: what it is read from is let go."""
        content, self._content = self._content, None
        assert content is not None
        part: Part = pickle.loads(content.data)
        return part


_loading = Lock()


@lru_cache(_MOST_READY)
def _ready(sent: _Sent) -> Callable[[Messages], Messages]:
    return sent.load().ready()
