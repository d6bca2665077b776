"""What a server and its worker processes exchange: a document and bytes, no pickles."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from typing import Any

_SIZES = struct.Struct("<IQ")
_MOST_HEADER = 1 << 16


class ChannelClosedError(Exception):
    """The other side is gone, or does not keep to the form."""


class Channel:
    """One end of a pair of sockets.

    Parameters
    ----------
    end : socket
    most_bytes : int
        Of a body that is received.
    """

    def __init__(self, end: socket.socket, most_bytes: int) -> None:
        self._end, self._most_bytes = end, most_bytes

    def send(
        self, header: dict[str, Any], body: bytes = b"", until: float | None = None
    ) -> None:
        """Send a message.

        Parameters
        ----------
        header : dict
        body : bytes
        until : float, optional
            On the monotonic clock; `TimeoutError` afterwards.
        """
        text = json.dumps(header).encode()
        self._set(until)
        try:
            self._end.sendall(_SIZES.pack(len(text), len(body)) + text)
            if body:
                self._set(until)
                self._end.sendall(body)
        except TimeoutError:
            raise
        except OSError as error:
            raise ChannelClosedError(str(error)) from error

    def receive(self, until: float | None = None) -> tuple[dict[str, Any], bytes]:
        """Return the next message; see `send`."""
        n_header, n_body = _SIZES.unpack(self._exactly(_SIZES.size, until))
        if n_header > _MOST_HEADER or n_body > self._most_bytes:
            raise ChannelClosedError(f"a message of {n_header} and {n_body} bytes")
        text = self._exactly(n_header, until)
        body = self._exactly(n_body, until)
        try:
            header = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ChannelClosedError("a header that is no document") from error
        if type(header) is not dict:
            raise ChannelClosedError("a header that is no object")
        return header, body

    def close(self) -> None:
        """End it; the other side is told, and a thread that waits here wakes up."""
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)
        self._end.close()

    def _set(self, until: float | None) -> None:
        if until is None:
            self._end.settimeout(None)
        elif (left := until - time.monotonic()) > 0:
            self._end.settimeout(left)
        else:
            raise TimeoutError

    def _exactly(self, size: int, until: float | None) -> bytes:
        data = bytearray(size)
        view, done = memoryview(data), 0
        while done < size:
            self._set(until)
            try:
                count = self._end.recv_into(view[done:])
            except TimeoutError:
                raise
            except OSError as error:
                raise ChannelClosedError(str(error)) from error
            if not count:
                raise ChannelClosedError("the other side is gone")
            done += count
        return bytes(data)
