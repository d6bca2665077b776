"""Temporary folders that go when what they were made for goes."""

from __future__ import annotations

import functools
import os
import shutil
import weakref
from collections import deque
from typing import Any

#: Folders of what is gone, and the processes that they belong to. Python calls a finalizer
#: at any moment, and drops what is raised in it, a KeyboardInterrupt too: finalizers do no
#: more than append here.
_left_behind: deque[tuple[str, int]] = deque()


def remove_with(owner: Any, folder: str) -> None:
    """Remove a folder some time after an object was collected, at the latest at exit."""
    _at_exit()
    _remove()
    weakref.finalize(owner, _left_behind.append, (folder, os.getpid()))


@functools.cache
def _at_exit() -> None:
    # Finalizers are called in reverse order at exit: this one after all others.
    weakref.finalize(_left_behind, _remove)


def _remove() -> None:
    """Remove the folders of collected objects, but none that the parent of a fork made."""
    while _left_behind:
        folder, process = _left_behind.popleft()
        if process == os.getpid():
            shutil.rmtree(folder, ignore_errors=True)
