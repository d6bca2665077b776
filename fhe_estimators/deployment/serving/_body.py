"""Bodies of requests: of a length that is told beforehand, and not too slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from fhe_estimators.deployment.serving._limits import Limits

#: Bytes that are handed on at once.
_PIECE = 1 << 20


def announced(request: Request, most: int) -> int:
    """Return the bytes of a body, which has to be told.

    Raises
    ------
    HTTPException
        If it is not, or is more than `most`.
    """
    text = request.headers.get("content-length")
    if text is None:
        raise HTTPException(411, "The header Content-Length is needed.")
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise HTTPException(400, "Content-Length is no number.")
    size = int(text)
    if size > most:
        raise HTTPException(413, f"A body here has at most {most} bytes; got {size}.")
    return size


async def pieces(request: Request, size: int, limits: Limits) -> AsyncIterator[bytes]:
    """Yield a body in large pieces.

    Raises
    ------
    HTTPException
        If it comes too slowly, or not whole.
    """
    seconds = limits.body_seconds + size / limits.body_rate
    buffer, received = bytearray(), 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                buffer += chunk
                received += len(chunk)
                if len(buffer) >= _PIECE:
                    yield bytes(buffer)
                    buffer.clear()
    except TimeoutError as error:
        raise HTTPException(408, "The body came too slowly.") from error
    except ClientDisconnect as error:
        raise HTTPException(400, "The body is not whole.") from error
    if received != size:
        raise HTTPException(400, f"{size} bytes were announced; {received} came.")
    if buffer:
        yield bytes(buffer)


async def whole(request: Request, most: int, limits: Limits) -> bytes:
    """Return a body; see `announced` and `pieces`."""
    size = announced(request, most)
    return b"".join([piece async for piece in pieces(request, size, limits)])
