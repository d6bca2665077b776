"""What a server counts, for Prometheus, on a port of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    start_http_server,
)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_HOST = "127.0.0.1"


class Metrics:
    """Counters of one server; none of them names a tenant or a key."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "fhe_requests",
            "Requests by route and status",
            ["route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "fhe_request_seconds",
            "Seconds from the header of a request to its answer",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._rows = Counter(
            "fhe_rows",
            "Encrypted rows that were answered",
            ["model"],
            registry=self.registry,
        )
        self._server: Any = None

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def rows(self, model: str, count: int) -> None:
        """Count encrypted rows that were answered."""
        self._rows.labels(model).inc(count)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Show a number that is read when it is asked for."""
        Gauge(name, text, registry=self.registry).set_function(read)

    def serve(self, port: int) -> int:
        """Serve the numbers on a local port, of any number if it is 0; return which."""
        self._server, _ = start_http_server(port, _HOST, self.registry)
        found: int = self._server.server_port
        return found

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
