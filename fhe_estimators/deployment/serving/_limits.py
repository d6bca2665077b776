"""What a server takes from clients, and from its own worker processes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields

MB, GB = 1 << 20, 1 << 30


@dataclass(frozen=True)
class Limits:
    """Limits of a server.

    Parameters
    ----------
    rows : int, default=64
        Of one request.
    key_bytes : int, default=128 MB
        Of the evaluation keys of one client and family.
    tenant_bytes, total_bytes : int, default=2 GB and 20 GB
        Of all keys of a tenant, and of all tenants. What was not used for longest goes.
    concurrent : int, default=4
        Requests of one tenant at once; uploads of keys are counted by themselves.
    queue : int, default=64
        Requests that wait for a worker.
    request_seconds : float, default=60
        Until a worker takes a request, and again until it has the answer.
    body_seconds : float, default=30
        Until the body of a request is there, beside one second for each `body_rate` bytes.
    body_rate : int, default=100,000
        Bytes a second that a client has to send.
    header_seconds : float, default=10
        From a connection, or the last answer on it, to the end of the next header.
    connections : int, default=512
        At once.
    workers : int
        Worker processes; by default one for each processor, at most 8.
    worker_bytes : int, default=4 GB
        Of memory of a worker.
    worker_calls : int, default=1000
        Answers after which a worker is replaced.
    resident_keys : int, default=16
        Evaluation keys that a worker holds ready, of about 140 MB each.
    start_seconds : float, default=60
        Until a new worker is ready.
    accept_seconds : float, default=5
        Until a worker confirms that it has a request; one that does not is replaced.
    drain_seconds : float, default=65
        For requests that are being answered when the server is told to end.
    """

    rows: int = 64
    key_bytes: int = 128 * MB
    tenant_bytes: int = 2 * GB
    total_bytes: int = 20 * GB
    concurrent: int = 4
    queue: int = 64
    request_seconds: float = 60.0
    body_seconds: float = 30.0
    body_rate: int = 100_000
    header_seconds: float = 10.0
    connections: int = 512
    workers: int = field(default_factory=lambda: min(Limits.processors(), 8))
    worker_bytes: int = 4 * GB
    worker_calls: int = 1000
    resident_keys: int = 16
    start_seconds: float = 60.0
    accept_seconds: float = 5.0
    drain_seconds: float = 65.0

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if type(value) not in (int, float) or not value > 0:
                raise ValueError(
                    f"The limit {entry.name!r} must be a positive number; got {value!r}."
                )

    @staticmethod
    def processors() -> int:
        """Return how many processors this process may use."""
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1
