"""Worker processes that are replaced when they end, and get requests for keys they hold."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from threading import Lock
from typing import Any, Protocol

from fhe_estimators.deployment.errors import ServerBusyError
from fhe_estimators.deployment.serving._limits import Limits
from fhe_estimators.deployment.serving._worker import (
    RefusedError,
    Worker,
    WorkerLostError,
    WorkerTimeoutError,
)

logger = logging.getLogger(__name__)

#: Seconds before the second start of a worker that does not start, and at most.
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 30.0
#: Seconds between looks at workers that do nothing, of a probe, and for which one holds.
_LOOK, _PROBE, _PROBED = 0.5, 2.0, 1.0
#: What happens to workers.
EVENTS = ("lost", "timed out", "recycled", "not started")
#: Waiting requests among which a worker finds one for keys that it holds, and how often
#: the first of them is passed over.
_REACH, _MOST_PASSED = 8, 16


class NoWorkerError(Exception):
    """No worker could take a request in time."""


class LethalRequestError(Exception):
    """Two workers ended while they computed the answer to a request."""


class AnyPool(Protocol):
    """What computes answers for a server; see `Pool`."""

    events: Counter[str]

    @property
    def workers(self) -> int:
        """How many workers run."""

    @property
    def waiting(self) -> int:
        """How many requests wait."""

    def open(self) -> None:
        """Start the workers; it does not wait for them."""

    async def close(self) -> None:
        """End all workers."""

    async def run(self, task: Mapping[str, Any], body: bytes, key: str | None) -> bytes:
        """Return the answer of a worker."""

    async def probe(self) -> bool:
        """Return whether a worker answers."""


class _Waiting:
    """A request that waits for a worker."""

    def __init__(self, key: str | None) -> None:
        self.key, self.passed = key, 0
        self.slot: asyncio.Future[_Slot] = asyncio.get_running_loop().create_future()


class _Slot:
    """The place of a worker, which it leaves empty while it is replaced."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.worker: Worker | None = None
        self.failures = 0


class Pool:
    """Worker processes. All methods are called in one event loop.

    Parameters
    ----------
    start : callable
        Returns a new `Worker`, or raises `WorkerLostError`.
    limits : Limits

    Attributes
    ----------
    events : Counter
        How often workers were lost, timed out, recycled, or did not start.
    """

    def __init__(self, start: Callable[[], Worker], limits: Limits) -> None:
        self._start, self._limits = start, limits
        self._slots = [_Slot(number) for number in range(limits.workers)]
        self._idle: list[_Slot] = []
        self._waiting: deque[_Waiting] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        # A thread for each call, and for each start that replaces a worker.
        self._threads = ThreadPoolExecutor(2 * limits.workers, "fhe_estimators_pool")
        self._closing, self._lock = False, Lock()
        self._started: set[Worker] = set()
        self._answered = float("-inf")
        self.events: Counter[str] = Counter()

    @property
    def workers(self) -> int:
        """How many workers run."""
        return sum(slot.worker is not None for slot in self._slots)

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def open(self) -> None:
        """Start the workers; it does not wait for them."""
        for slot in self._slots:
            self._spawn(self._fill(slot))
        self._spawn(self._watch())

    async def close(self) -> None:
        """End all workers."""
        with self._lock:
            self._closing = True
            started = [*self._started]
        for worker in started:
            await asyncio.to_thread(self._kill, worker)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for slot in self._slots:
            slot.worker = None
        await asyncio.to_thread(self._threads.shutdown)

    async def run(self, task: Mapping[str, Any], body: bytes, key: str | None) -> bytes:
        """Return the answer of a worker.

        A request that a worker was lost with is given to another one.

        Parameters
        ----------
        task : mapping
        body : bytes
        key : str, optional
            The name of the keys that it takes.

        Raises
        ------
        RefusedError
            If the worker refuses it.
        ServerBusyError
            If too many requests wait.
        NoWorkerError, LethalRequestError, WorkerTimeoutError
        """
        until = time.monotonic() + self._limits.request_seconds
        deaths = 0
        for _ in range(2 + len(self._slots)):
            slot = await self._taken(key, until)
            # A caller that gives up does not end the call of a worker.
            call = self._spawn(self._call(slot, task, body, self._limits.request_seconds))
            try:
                return await asyncio.shield(call)
            except WorkerLostError as error:
                deaths += error.accepted
                if deaths > 1:
                    raise LethalRequestError("two workers ended") from error
        raise NoWorkerError("no worker took the request")

    async def probe(self) -> bool:
        """Return whether a worker answers."""
        if time.monotonic() - self._answered < _PROBED:
            return True
        until = time.monotonic() + _PROBE
        while time.monotonic() < until:
            try:
                slot = await self._taken(None, until, first=True)
                await asyncio.shield(
                    self._spawn(self._call(slot, {"task": "probe"}, b"", _PROBE))
                )
            except WorkerLostError:
                continue
            except (NoWorkerError, WorkerTimeoutError, RefusedError):
                break
            return True
        # All are busy: those that are lost do not answer for long.
        since = time.monotonic() - self._answered
        return bool(self.workers) and since < self._limits.request_seconds / 2

    # Slots ---------------------------------------------------------------------------

    async def _taken(self, key: str | None, until: float, first: bool = False) -> _Slot:
        """Return the slot of a worker that does nothing, once there is one."""
        if len(self._waiting) >= self._limits.queue and not first:
            raise ServerBusyError("too many requests wait", 1.0)
        waiting = _Waiting(key)
        if first:
            self._waiting.appendleft(waiting)
        else:
            self._waiting.append(waiting)
        self._assign()
        try:
            async with asyncio.timeout(until - time.monotonic()):
                return await waiting.slot
        except BaseException as error:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            elif not waiting.slot.cancelled():  # Given up the moment it was served.
                self._back(waiting.slot.result(), "")
            if isinstance(error, TimeoutError):
                raise NoWorkerError("no worker was free in time") from error
            raise

    def _assign(self) -> None:
        """Give workers that do nothing to requests that wait."""
        while self._idle and self._waiting:
            waiting, slot = self._pair()
            self._waiting.remove(waiting)
            self._idle.remove(slot)
            if waiting.slot.done():  # given up
                self._idle.append(slot)
            else:
                waiting.slot.set_result(slot)

    def _pair(self) -> tuple[_Waiting, _Slot]:
        """Return the request that is next, and the worker for it."""
        first = self._waiting[0]
        if first.passed < _MOST_PASSED:
            for waiting in islice(self._waiting, _REACH):
                for slot in self._idle:
                    if slot.worker is not None and waiting.key in slot.worker.keys:
                        first.passed += waiting is not first
                        return waiting, slot
        # The one that holds fewest keys.
        fewest = min(
            self._idle, key=lambda slot: len(slot.worker.keys) if slot.worker else 0
        )
        return first, fewest

    async def _call(
        self, slot: _Slot, task: Mapping[str, Any], body: bytes, seconds: float
    ) -> bytes:
        """Return the answer of a worker, which is replaced if it takes too long."""
        worker, until = slot.worker, time.monotonic() + seconds
        assert worker is not None
        reason = "lost"
        try:
            answer: bytes = await self._in_thread(
                worker.call, task, body, self._limits.accept_seconds, until
            )
            reason = ""
        except RefusedError:
            reason = ""
            raise
        except WorkerTimeoutError:
            reason = "timed out"
            raise
        finally:
            if not reason:
                self._answered, slot.failures = time.monotonic(), 0
                if worker.calls >= self._limits.worker_calls:
                    reason = "recycled"
            self._back(slot, reason)
        return answer

    def _back(self, slot: _Slot, reason: str) -> None:
        """Take a slot back after a call; replace its worker if there is a reason."""
        if not reason:
            self._idle.append(slot)
            self._assign()
        elif not self._closing:
            self._spawn(self._replace(slot, reason))

    async def _replace(self, slot: _Slot, reason: str) -> None:
        worker, slot.worker = slot.worker, None
        self.events[reason] += 1
        logger.warning("worker %d: %s", slot.number, reason)
        if worker is not None:
            await self._in_thread(self._kill, worker)
        if reason != "recycled":
            slot.failures += 1
        await self._fill(slot)

    async def _fill(self, slot: _Slot) -> None:
        """Start a worker, after a time that doubles with each that was lost at once."""
        while not self._closing:
            if slot.failures > 1:
                wait = _FIRST_WAIT * 2.0 ** min(slot.failures - 2, 20)
                await asyncio.sleep(min(wait, _LONGEST_WAIT))
            try:
                slot.worker = await self._in_thread(self._begun)
            except (WorkerLostError, OSError) as error:
                slot.failures += 1
                self.events["not started"] += 1
                logger.error("worker %d: %s", slot.number, error)
                continue
            logger.info("worker %d has started", slot.number)
            self._idle.append(slot)
            self._assign()
            return

    def _begun(self) -> Worker:
        """Return a new worker, in a thread: the pool may be closed meanwhile."""
        worker = self._start()
        with self._lock:
            if not self._closing:
                self._started.add(worker)
                return worker
        worker.kill()
        raise WorkerLostError("the pool is closed", False)

    def _kill(self, worker: Worker) -> None:
        worker.kill()
        with self._lock:
            self._started.discard(worker)

    async def _watch(self) -> None:
        """Replace workers that end while they do nothing."""
        while not self._closing:
            await asyncio.sleep(_LOOK)
            for slot in [*self._idle]:
                is_lost = slot.worker is not None and not slot.worker.is_alive
                if is_lost and not self._closing:
                    self._idle.remove(slot)
                    self._spawn(self._replace(slot, "lost"))

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # Whoever waits for it has it, or nobody does.

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, function, *arguments)
