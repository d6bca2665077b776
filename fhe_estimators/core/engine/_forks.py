"""Processes that were forked from one in which the engine has threads."""

from __future__ import annotations

import os

from fhe_estimators.exceptions import ForkedProcessError

#: The process in which the engine started threads, or None if it did in none.
_owner: int | None = None


def check_not_forked() -> None:
    """Raise in a forked child, which lacks the threads that the engine computes tables in.

    A fork copies what the engine knows of its threads, but no thread but the calling one.
    In a forked child the engine waits for the others for good. Circuits without tables have
    none.

    Raises
    ------
    ForkedProcessError
        If this process was forked from one that has called this function.
    """
    global _owner
    if _owner is None:
        _owner = os.getpid()
    elif _owner != os.getpid():
        raise ForkedProcessError(
            f"Process {os.getpid()} was forked from process {_owner}, which had made keys "
            "for tables, or simulated or evaluated them. The engine's threads did not come "
            "along, and it would wait for them for good. Use processes that do not fork: "
            "multiprocessing.get_context('spawn') or loky, the default backend of joblib; "
            "or fork before the first of these calls."
        )
