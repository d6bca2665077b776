"""What is told of every request: to a log, and to counters. Never what it holds."""

from __future__ import annotations

import logging
import time
from typing import Any

from fhe_estimators.deployment.serving._metrics import Metrics

logger = logging.getLogger(__name__)

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


class Access:
    """An application around another one, which tells how requests end.

    Parameters
    ----------
    app : callable
        See ASGI.
    metrics : Metrics
    """

    def __init__(self, app: Any, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, sent = time.perf_counter(), 500, 0

        async def told(message: Any) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *_HEADERS]}
            else:
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, told)
        finally:
            seconds = time.perf_counter() - start
            # The pattern of the path, not the path: it has names of keys.
            route = scope.get("state", {}).get("route", "none")
            self._metrics.request(route, status, seconds)
            logger.info(
                "request",
                extra={
                    "fields": {
                        "method": scope["method"],
                        "route": route,
                        "status": status,
                        "bytes_sent": sent,
                        "seconds": round(seconds, 4),
                        "tenant": scope.get("state", {}).get("tenant", "")[:8],
                    }
                },
            )
