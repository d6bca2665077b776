"""The server as a process: its sockets, its logs, and how it ends."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import signal
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from fhe_estimators.deployment.errors import DeploymentError
from fhe_estimators.deployment.serving._limits import Limits

_HEADER_BYTES = 16_384


class JsonLines(logging.Formatter):
    """One document a line; fields of a record are entries."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        entries: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entries["error"] = self.formatException(record.exc_info)
        return json.dumps(entries)


def log_to_stderr() -> None:
    """Have logs of this package and of the server written as lines of JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("fhe_estimators", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)


def check_exposure(
    host: str, has_tokens: bool, certificate: str | None, insecure: bool
) -> None:
    """Raise if others could reach a server that knows no tokens, or listen to it.

    Parameters
    ----------
    host : str
    has_tokens : bool
    certificate : str or None
    insecure : bool
        Whether that is wanted.

    Raises
    ------
    DeploymentError
    """
    if insecure or _is_loopback(host):
        return
    missing = [
        what
        for what, is_there in (("tokens", has_tokens), ("TLS", certificate is not None))
        if not is_there
    ]
    if missing:
        raise DeploymentError(
            f"{host} can be reached by others, and there is no {' and no '.join(missing)}: "
            "give --tokens, --certificate and --key. With --insecure it is served anyway, "
            "as behind a proxy that does both."
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, whatever it is of
        return False


def run(
    app: Any,
    host: str,
    port: int,
    limits: Limits,
    *,
    certificate: str | None = None,
    key: str | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT, and end the process with status 0 then.

    Requests that are being answered are finished before.

    Parameters
    ----------
    app : callable
    host : str
    port : int
        Any that is free if it is 0.
    limits : Limits
    certificate, key : str, optional
        Files, for TLS.
    told : callable
        Given the address, once requests are taken.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=_protocol(limits),
        loop="asyncio",
        ws="none",
        lifespan="on",
        limit_concurrency=limits.connections,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        timeout_graceful_shutdown=max(1, round(limits.drain_seconds)),
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
    )
    scheme = "http" if certificate is None else "https"
    # The signal is raised again behind a server that has ended by it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    _Server(config, scheme, told).run()


def _end(*_: object) -> NoReturn:
    raise SystemExit(0)


class _Server(uvicorn.Server):
    """A server that tells where it is."""

    def __init__(
        self, config: uvicorn.Config, scheme: str, told: Callable[[str], None]
    ) -> None:
        super().__init__(config)
        self._scheme, self._told = scheme, told

    async def startup(self, *arguments: Any, **options: Any) -> None:
        """Begin to take requests."""
        await super().startup(*arguments, **options)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            host = f"[{host}]" if ":" in host else host
            self._told(f"{self._scheme}://{host}:{port}")


def _protocol(limits: Limits) -> type[asyncio.Protocol]:
    """Return connections that end if a header does not come."""

    class Protocol(H11Protocol):
        """A connection with a limit on how long a header takes."""

        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._look()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._look()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._look()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self._late is not None:
                self._late.cancel()

        def _look(self) -> None:
            waits = self.cycle is None or self.cycle.response_complete
            if not waits and self._late is not None:
                self._late.cancel()
                self._late = None
            elif waits and self._late is None:
                self._late = self.loop.call_later(limits.header_seconds, self._end)

        def _end(self) -> None:
            if not self.transport.is_closing():
                self.transport.close()

    return Protocol
