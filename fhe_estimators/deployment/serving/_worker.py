"""A worker process, as its server sees it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from fhe_estimators.deployment.serving._channel import Channel, ChannelClosedError

#: What runs a worker; its options are added.
COMMAND = (sys.executable, "-m", "fhe_estimators.deployment.serving._work")
#: Seconds for a killed process to be gone.
_REAP = 5.0


class WorkerLostError(Exception):
    """A worker ended, or did not take a request.

    Parameters
    ----------
    message : str
    accepted : bool
        Whether it had begun with the request.
    """

    def __init__(self, message: str, accepted: bool) -> None:
        super().__init__(message)
        self.accepted = accepted


class WorkerTimeoutError(Exception):
    """A worker took too long."""


class RefusedError(Exception):
    """A worker refuses a request.

    Parameters
    ----------
    kind : str
        The class of its error.
    why : str
    """

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class Worker:
    """A process that computes one answer at a time.

    Every method blocks: call it from a thread.

    Parameters
    ----------
    options : mapping
        Of the worker: ``compiled``, ``models``, ``rows``, ``resident_keys``, ``memory``.
    most_bytes : int
        Of an answer, and of a request.
    threads : int
        For one circuit.
    start_seconds : float
        Until it says that it is ready.
    command : sequence of str
        What runs it.

    Raises
    ------
    WorkerLostError
        If it does not become ready.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        most_bytes: int,
        threads: int,
        start_seconds: float,
        command: Sequence[str] = COMMAND,
    ) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            given = {
                **options,
                "channel": theirs.fileno(),
                "parent": os.getpid(),
                "most_bytes": most_bytes,
            }
            self._process = subprocess.Popen(
                [*command, json.dumps(given)],
                stdin=subprocess.DEVNULL,
                # Native code prints; what it prints belongs to nobody's output.
                stdout=sys.stderr.fileno() if _has_number(sys.stderr) else None,
                pass_fds=[theirs.fileno()],
                env=_environment(threads),
            )
        self._channel = Channel(ours, most_bytes)
        #: Names of the keys that it holds ready, and how often it has answered.
        self.keys: frozenset[str] = frozenset()
        self.calls = 0
        try:
            hello, _ = self._channel.receive(time.monotonic() + start_seconds)
        except (ChannelClosedError, TimeoutError) as error:
            self.kill()
            raise WorkerLostError("a worker did not start", False) from error
        except BaseException:
            self.kill()
            raise
        if hello.get("status") != "ready":
            self.kill()
            raise WorkerLostError("a worker did not say that it is ready", False)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def call(
        self, task: Mapping[str, Any], body: bytes, accept_seconds: float, until: float
    ) -> bytes:
        """Return what a worker answers; after any error but `RefusedError` kill it.

        Parameters
        ----------
        task : mapping
        body : bytes
        accept_seconds : float
            Until it says that it has the task.
        until : float
            On the monotonic clock.

        Raises
        ------
        RefusedError, WorkerLostError, WorkerTimeoutError
        """
        accepted, accept_until = False, time.monotonic() + accept_seconds
        try:
            self._channel.send(dict(task), body, accept_until)
            self._expect("accepted", accept_until)
            accepted = True
            status, answer = self._channel.receive(until)
        except ChannelClosedError as error:
            raise WorkerLostError(f"a worker was lost: {error}", accepted) from error
        except TimeoutError as error:
            if accepted:
                raise WorkerTimeoutError("a worker took too long") from error
            raise WorkerLostError("a worker did not take a request", False) from error
        self.calls += 1
        if status.get("status") == "refused":
            raise RefusedError(str(status.get("kind")), str(status.get("why")))
        self.keys = frozenset(map(str, status.get("keys", ())))
        return answer

    def _expect(self, status: str, until: float) -> None:
        found, _ = self._channel.receive(until)
        if found.get("status") != status:
            raise ChannelClosedError(f"expected {status}")

    def end(self) -> None:
        """Let the process end and remove what it made; kill it if it does not."""
        self._channel.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAP)
        self.kill()

    def kill(self) -> None:
        """End the process now, even one that is stopped."""
        self._process.kill()
        self._channel.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAP)


def _has_number(stream: Any) -> bool:
    try:
        stream.fileno()
    except (AttributeError, OSError, ValueError):
        return False
    return True


def _environment(threads: int) -> dict[str, str]:
    """Return the environment of a worker, without what it must not know."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith("FHE_ESTIMATORS_")}
    return {**kept, "OMP_NUM_THREADS": str(threads)}
