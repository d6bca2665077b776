"""Memory of native calls, kept from one call to the next."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

#: Parameters of ``mallopt``, and how many blocks are mapped by themselves by default.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_DEFAULT_MMAP_MAX = 65536
#: Bytes from which blocks are mapped by themselves: the most the library would choose.
_MAPPED = 32 << 20
#: Bytes that the process keeps at most when they are free.
_KEPT = 256 << 20


@contextmanager
def kept_memory() -> Iterator[None]:
    """Return a context in which memory that was freed in earlier ones is used again.

    At each call the engine converts the bootstrap key to another form, of about 55 MB, and
    frees it. The GNU C library maps blocks of that size by themselves, so that all their
    pages are new to the process each time: 14,000 page faults, 20 ms of system time. In
    this context it takes them from the heap. From the first one on, until the process ends,
    the heap keeps up to 256 MB that are free [1]_. With another C library nothing changes.

    References
    ----------
    .. [1] The GNU C Library Reference Manual, "Malloc Tunable Parameters".
    """
    mallopt = _mallopt()
    if mallopt is None:
        yield
        return
    mallopt(_TRIM_THRESHOLD, _KEPT)
    mallopt(_MMAP_THRESHOLD, _MAPPED)
    mallopt(_MMAP_MAX, 0)
    try:
        yield
    finally:
        # Large blocks of others go back to the system as soon as they are freed.
        mallopt(_MMAP_MAX, _DEFAULT_MMAP_MAX)


@cache
def _mallopt() -> Any:
    """Return the function of the GNU C library, or None without that library."""
    return ctypes.CDLL(None).mallopt if platform.libc_ver()[0] == "glibc" else None
