"""How predictions are computed, for code that cannot pass ``fhe=`` itself.

`config_context` works like :func:`sklearn.config_context`. It also reaches the threads
and worker processes that joblib starts inside the context (see `inherit`): a
cross-validation that was asked to run encrypted must never fall back to clear integers
because a worker did not hear of it.
"""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: From the least to the most encrypted.
FHE_MODES = ("disable", "simulate", "execute")

_own: ContextVar[Setting | None] = ContextVar("fhe_estimators_mode", default=None)
_fitting: ContextVar[bool] = ContextVar("fhe_estimators_fitting", default=False)
_progress: ContextVar[bool] = ContextVar("fhe_estimators_progress", default=False)
_active: list[Setting] = []
_inherited: weakref.WeakSet[Inheritance] = weakref.WeakSet()
_lock = threading.RLock()


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


class Setting:
    """A mode that is in force.

    Worker processes are shown its *lease*: an empty file of a random name, made when the
    first pickle needs it, that this process keeps locked until the setting ends. The
    system unlocks it when the process ends, however it ends, and a file that was written
    under the setting proves nothing any more.

    Parameters
    ----------
    mode : str
    """

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self._lease, self._owner = "", 0
        self._end: weakref.finalize[..., Setting] | None = None

    def is_open(self) -> bool:
        """Tell whether the mode is still in force."""
        return True

    def lease(self) -> str:
        """Return the path of the lease."""
        with _lock:
            if self._owner != os.getpid():  # At a fork, the lock stays with the parent.
                handle, self._lease = tempfile.mkstemp(prefix="fhe_estimators_mode_")
                if fcntl is not None:
                    fcntl.lockf(handle, fcntl.LOCK_EX)
                self._owner = os.getpid()
                self._end = weakref.finalize(
                    self, _give_up, handle, self._lease, self._owner
                )
            return self._lease

    def end(self) -> None:
        """Give up the lease."""
        if self._end is not None:
            self._end()


class Inheritance(Setting):
    """A mode that a worker process got with an object.

    As long as that object lives and the lease is held, it is the default of the whole
    process, so clones and estimators inside of meta-estimators compute in it too.

    Parameters
    ----------
    mode : str
    given : str
        The lease of the process that sent the object.
    """

    def __init__(self, mode: str, given: str) -> None:
        super().__init__(mode)
        self._given = given
        with _lock:
            _inherited.add(self)

    def is_open(self) -> bool:
        return _is_held(self._given)


def _give_up(handle: int, lease: str, owner: int) -> None:
    """Remove a lease; a forked child leaves its parent's alone."""
    os.close(handle)
    if owner == os.getpid():
        with suppress(OSError):
            os.unlink(lease)


def _is_held(lease: str) -> bool:
    """Tell whether another process holds a lease."""
    try:
        handle = os.open(lease, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False
    try:
        if fcntl is not None:
            fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return fcntl is None


def current_mode() -> str:
    """Return the mode in force here.

    A thread that never entered a context takes the most encrypted mode of all contexts
    that are open in the process, or in its parent process if that sent work from inside.
    """
    setting = _setting()
    return FHE_MODES[0] if setting is None else setting.mode


def _setting() -> Setting | None:
    own = _own.get()
    if own is not None:
        return own
    with _lock:
        settings = [setting for setting in [*_active, *_inherited] if setting.is_open()]
    return max(settings, key=lambda setting: FHE_MODES.index(setting.mode), default=None)


def shows_progress() -> bool:
    """Return whether what takes long in this thread shows how far it is."""
    return _progress.get()


@contextmanager
def config_context(
    *, fhe: str | None = None, progress: bool | None = None
) -> Iterator[None]:
    """Set how predictions are computed, and whether progress is shown.

    Parameters
    ----------
    fhe : {'disable', 'simulate', 'execute'}, optional
        The default of the ``fhe`` argument of every prediction method: ``"disable"``
        computes with the quantized integers in clear, ``"simulate"`` with the circuit but
        without encryption, ``"execute"`` encrypts, computes, decrypts. By default it stays
        what it is.
    progress : bool, optional
        Whether to show bars on standard error for the epochs of networks, the search of
        bits and tables, compilation, keys, and rows that are simulated or encrypted; in
        this thread. By default it stays what it is, False outside of all contexts.

    Raises
    ------
    ValueError
        If `fhe` is none of these.
    TypeError
        If `progress` is no bool.

    Notes
    -----
    Threads and worker processes that get work inside the context compute in its mode as
    long as it is open: wait inside for the results.

    Examples
    --------
    >>> from fhe_estimators import config_context
    >>> with config_context(fhe="simulate"):
    ...     pass  # cross_val_score(model, X, y) simulates here
    """
    mode = None if fhe is None else check_fhe_mode(fhe)
    if not isinstance(progress, bool | None):
        raise TypeError(
            f"The parameter 'progress' must be True or False; got {progress!r}."
        )
    token = _progress.set(_progress.get() if progress is None else progress)
    try:
        with nullcontext() if mode is None else _everywhere(mode):
            yield
    finally:
        _progress.reset(token)


@contextmanager
def _everywhere(mode: str) -> Iterator[None]:
    """Set the mode of this thread, and of those that never entered a context."""
    setting = Setting(mode)
    with _lock:
        _active.append(setting)
    try:
        with _entered(setting):
            yield
    finally:
        with _lock:
            _active.remove(setting)


@contextmanager
def local_mode(mode: str | None) -> Iterator[None]:
    """Set the mode for one call in this thread only; None keeps the one in force."""
    if mode is None:
        yield
        return
    with _entered(Setting(mode)):
        yield


@contextmanager
def _entered(setting: Setting) -> Iterator[None]:
    token = _own.set(setting)
    # What a callback of a fit asks for is not what the fit itself computes.
    was_fitting = _fitting.set(False)
    try:
        yield
    finally:
        _fitting.reset(was_fitting)
        _own.reset(token)
        setting.end()


@contextmanager
def fitting() -> Iterator[None]:
    """Let raw scores be the parent's own, in floating point, while it is fitted.

    The parent asks for scores of the half-fitted model, to stop early for example, and
    there are no integers of it yet. The modes are as they were; a mode that is entered
    inside, by a callback, has raw scores computed in that mode.
    """
    token = _fitting.set(True)
    try:
        yield
    finally:
        _fitting.reset(token)


def is_fitting() -> bool:
    """Return whether a parent is being fitted in this thread, see `fitting`."""
    return _fitting.get()


def bequeath() -> tuple[str, int, str] | None:
    """Return what a pickle made here tells a worker process: mode, our id, the lease."""
    setting = _setting()
    if setting is None or setting.mode not in FHE_MODES[1:]:
        return None
    return setting.mode, os.getpid(), setting.lease()


def inherit(bequest: Any) -> Inheritance | None:
    """Take over what `bequeath` gave, if its giver is our parent and still in the mode.

    A file that was written inside a context inherits nothing after it: neither in this
    process nor in one that finds the same ids, as in containers, where the first process
    is always number 1.
    """
    if not isinstance(bequest, tuple) or len(bequest) != 3:
        return None  # None, or the form of an older version, which had no lease.
    mode, giver, lease = bequest
    if giver != os.getppid() or not _is_held(lease):
        return None
    return Inheritance(mode, lease)
