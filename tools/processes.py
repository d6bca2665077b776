"""Processes of this machine by their command lines, where ``/proc`` has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

__all__ = ["command_of", "processes"]


def command_of(process: int) -> bytes:
    """Return the arguments that a process was started with, each ended by a zero byte.

    Parameters
    ----------
    process : int
        Its number.

    Returns
    -------
    command : bytes
        Empty if there is no such process, or none any more.
    """
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def processes(chosen: Callable[[bytes], bool]) -> list[int]:
    """Return the numbers of the processes with a command line that is chosen.

    Parameters
    ----------
    chosen : callable
        Takes what `command_of` returns.

    Returns
    -------
    processes : list of int
        In order.
    """
    numbers = sorted(int(entry.name) for entry in Path("/proc").glob("[0-9]*"))
    return [number for number in numbers if chosen(command_of(number))]
