"""How predictions are computed, for code that cannot pass ``fhe=`` itself.

`config_context` works like :func:`sklearn.config_context`. It also reaches the threads
and worker processes that joblib starts inside the context (see `inherit`): a
cross-validation that was asked to run encrypted must never fall back to clear integers
because a worker did not hear of it.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: From the least to the most encrypted.
FHE_MODES = ("disable", "simulate", "execute")
#: Internal mode while a parent class is fitting: its own float predictions.
IN_FIT = "fit"

_own: ContextVar[str | None] = ContextVar("fhe_estimators_mode", default=None)
_active: list[str] = []
_inherited: weakref.WeakSet[Inheritance] = weakref.WeakSet()
_lock = threading.Lock()


def check_fhe_mode(fhe: str) -> str:
    """Return `fhe` if it names a mode.

    Raises
    ------
    ValueError
        If it is none of ``"disable"``, ``"simulate"``, ``"execute"``.
    """
    if not isinstance(fhe, str) or fhe not in FHE_MODES:
        raise ValueError(
            f"The parameter 'fhe' must be one of {', '.join(map(repr, FHE_MODES))}; "
            f"got {fhe!r}. Use 'disable' for quantized integers in clear, 'simulate' "
            "to simulate the cryptography, 'execute' to compute on encrypted data."
        )
    return fhe


def current_mode() -> str:
    """Return the mode in force here.

    A thread that never entered a context takes the most encrypted mode of all contexts
    that are open in the process, or that its parent process had open when it sent work.
    """
    own = _own.get()
    if own is not None:
        return own
    with _lock:
        modes = [*_active, *(inheritance.mode for inheritance in _inherited)]
    return max(modes, key=FHE_MODES.index, default="disable")


@contextmanager
def config_context(*, fhe: str) -> Iterator[None]:
    """Set the default of the ``fhe`` argument of every prediction method.

    Parameters
    ----------
    fhe : {'disable', 'simulate', 'execute'}
        ``"disable"`` computes with the quantized integers in clear, ``"simulate"`` with
        the circuit but without encryption, ``"execute"`` encrypts, computes, decrypts.

    Raises
    ------
    ValueError
        If `fhe` is none of these.

    Examples
    --------
    >>> from fhe_estimators import config_context
    >>> with config_context(fhe="simulate"):
    ...     pass  # cross_val_score(model, X, y) simulates here
    """
    mode = check_fhe_mode(fhe)
    with _lock:
        _active.append(mode)
    token = _own.set(mode)
    try:
        yield
    finally:
        _own.reset(token)
        with _lock:
            _active.remove(mode)


@contextmanager
def local_mode(mode: str | None) -> Iterator[None]:
    """Set the mode for one call in this thread only; None keeps the one in force."""
    if mode is None:
        yield
        return
    token = _own.set(mode)
    try:
        yield
    finally:
        _own.reset(token)


class Inheritance:
    """A mode that a worker process got with an object; it ends with that object.

    While the object that holds it lives, `mode` is the default of the whole process, so
    clones and estimators inside of meta-estimators compute in it too.
    """

    def __init__(self, mode: str) -> None:
        self.mode = mode
        with _lock:
            _inherited.add(self)


def bequeath() -> tuple[str, int] | None:
    """Return what a pickle made here tells a worker process: the mode and our id."""
    mode = current_mode()
    return (mode, os.getpid()) if mode in FHE_MODES[1:] else None


def inherit(bequest: tuple[str, int] | None) -> Inheritance | None:
    """Take over what `bequeath` gave, if this process is a child of the giver.

    A file that was written inside a context and is read later by another process inherits
    nothing.
    """
    if bequest is None or bequest[1] != os.getppid():
        return None
    return Inheritance(bequest[0])
