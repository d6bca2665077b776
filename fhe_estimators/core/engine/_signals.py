"""What the process does on signals, kept from the engine.

Twice the engine takes over many signals, SIGTERM and SIGPIPE among them: when it is
imported, and when its runtime starts with the first evaluation or simulation. A server
would no longer shut down in order, and end when a client hangs up. `signals_kept` undoes
that.

And to compile, to generate keys and to evaluate, it replaces what the process does on
SIGINT by a function that ends it with SIGKILL, and puts back afterwards what it found, but
for the flags. Where such calls overlap in threads, what the last one finds, and leaves
behind, is that function. All of them are made through `interruptible`.

The system delivers a signal for a process to its main thread, unless that blocks it, and
otherwise to any thread that does not: those of numerical libraries do not, and they are not
ours to change. Hence two cases:

- What the main thread asks for is computed in a helper thread. The main thread blocks
  SIGINT and waits for it, and so accepts it before any function can be called [1]_. It runs
  the process's own handler at once. If that raises, as Python's does, no further call of
  the engine is begun, the one in flight is waited for, and the error goes on. While the
  engine compiles or generates keys it keeps the interpreter's lock, so that this happens
  afterwards; a second SIGINT until then ends the process.
- In other threads, the process's own handler is put back as soon as the engine releases the
  interpreter's lock. To evaluate, it does so at once, and what is left is the moment until
  another thread runs: microseconds of each call, on a busy machine milliseconds. A batch
  without tables makes hundreds of calls, so that these moments add up. To compile and to
  generate keys the engine keeps the lock. Where that happens *outside of the main thread*,
  SIGINT may still end the process: compile, generate keys and compute batches in the main
  thread, or keep SIGINT away from the process, to avoid that.

Only Linux is known to prefer the main thread; elsewhere every thread is of the second kind.

References
----------
.. [1] signal(7) and sigwaitinfo(2), Linux manual pages.
"""

from __future__ import annotations

import _thread
import contextvars
import ctypes
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from queue import SimpleQueue
from typing import Any, TypeVar

Result = TypeVar("Result")

#: Bytes that are enough for a ``struct sigaction``; it begins with the handler's address.
_SIZE = 512
#: Seconds after which a watcher looks again, if it got the interpreter's lock too early.
_PAUSES = (1e-3, 1e-2)
#: Parts of the paths of the engine's libraries, and of the one that ends the process.
_ENGINE, _KILLER = (b"_mlir_libs", b"concrete_python"), b"/_concretelang."


class _Symbol(ctypes.Structure):
    """``Dl_info``: where an address comes from."""

    _fields_ = [
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    ]


@functools.cache
def _libc() -> Any:
    """Return the C library, called without releasing the interpreter's lock, or None."""
    library = None if sys.platform == "win32" else ctypes.PyDLL(None)
    return library if hasattr(library, "sigaction") and hasattr(library, "dladdr") else None


@functools.cache
def _library_of(address: int) -> bytes:
    """Return the path of the library that holds a handler; ``""`` for a default."""
    symbol = _Symbol()
    found = address > 1 and _libc().dladdr(ctypes.c_void_p(address), ctypes.byref(symbol))
    return (symbol.file or b"") if found else b""


def _is_engines(action: Any) -> bool:
    return any(part in _library_of(_handler(action)) for part in _ENGINE)


def _kills(action: Any) -> bool:
    return _KILLER in _library_of(_handler(action))


def _handler(action: Any) -> int:
    return ctypes.c_void_p.from_buffer(action).value or 0


def _read(number: int) -> Any:
    """Return what the process does on a signal, flags included: a ``struct sigaction``."""
    action = ctypes.create_string_buffer(_SIZE)
    _libc().sigaction(int(number), None, action)
    return action


@contextmanager
def signals_kept() -> Iterator[None]:
    """Return a context at whose end the engine has taken over no more signals."""
    if _libc() is None:
        yield
        return
    before = {number: _read(number) for number in signal.valid_signals()}
    try:
        yield
    finally:
        for number, action in before.items():
            if _is_engines(_read(number)) and not _is_engines(action):
                _libc().sigaction(int(number), action, None)


class _Disposition:
    """What the process does on SIGINT, while the engine runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_calls = 0
        self._own: Any = None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Return a context at whose end the disposition is what it was."""
        with self._lock:
            if not self._n_calls:
                action = _read(signal.SIGINT)
                self._own = None if _kills(action) else action
            self._n_calls += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_calls -= 1
                self._put_back()

    def put_back(self) -> None:
        """Set the disposition back to ours while calls are under way."""
        with self._lock:
            if self._n_calls:
                self._put_back()

    def _put_back(self) -> None:
        """Set our action where it is the engine's, or ours with other flags.

        One that somebody else has set in the meantime stays.
        """
        if self._own is not None:
            current = _read(signal.SIGINT)
            if _kills(current) or _handler(current) == _handler(self._own):
                _libc().sigaction(int(signal.SIGINT), self._own, None)


_disposition = _Disposition()
#: Whether there was an evaluation.
_started = False
#: Held while a watcher needs the interpreter's lock, and by calls that keep that lock.
undisturbed = threading.Lock()


@functools.lru_cache(1)  # a fork does not copy threads
def _thread_of_helpers(process: int) -> SimpleQueue[Callable[[], None]]:
    """Return the queue of a thread that calls what is put in it, with SIGINT blocked.

    It is kept: a new thread for each call would pay for itself, for memory of its own and
    for threads of its own in numerical libraries, a third of a linear row.
    """
    calls: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def work() -> None:
        while True:
            call = calls.get()
            call()
            del call  # and with it what was computed

    threading.Thread(target=work, name="fhe_estimators", daemon=True).start()
    return calls


class _Helper:
    """Computes for the main thread, which waits for SIGINT meanwhile.

    Attributes
    ----------
    interrupted : bool
        Whether a handler has raised.
    """

    def __init__(self) -> None:
        self.interrupted = self._given_up = False
        self._waits, self._outcome = threading.Lock(), Future[Any]()

    def compute(self, function: Callable[[], Result]) -> Result:
        """Return what a function returns, or raise what it or a handler raises."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        context = contextvars.copy_context()
        self._waits.acquire()
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            _thread_of_helpers(os.getpid()).put(
                functools.partial(context.run, self._run, function)
            )
        except BaseException:  # of a handler: some other thread may have got SIGINT by now
            self._given_up = True
            self._waits.release()
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            raise
        try:
            error, default = self._wait()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if error is not None:
            raise error
        if default:
            signal.raise_signal(signal.SIGINT)
        result: Result = self._outcome.result()
        return result

    def _run(self, function: Callable[[], Any]) -> None:
        """Compute in the helper thread, then wake the main thread."""
        _helper.set(self)
        self._waits.acquire()  # until the main thread is about to wait
        if self._given_up:
            return
        try:
            with _disposition.kept():
                result = function()
        except BaseException as error:
            self._outcome.set_exception(error)
        else:
            self._outcome.set_result(result)
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)

    def _wait(self) -> tuple[BaseException | None, bool]:
        """Return what a handler raised, if any, and whether SIGINT had no handler."""
        error, default = None, False
        received: list[signal.struct_siginfo] = []
        while not (received and self._wakes(received[-1])):
            try:
                if self._waits.locked():
                    self._waits.release()
                # One step of the interpreter: a handler runs before or after both.
                received.extend(map(signal.sigwaitinfo, [{signal.SIGINT}]))
                if self._wakes(received[-1]):
                    continue
                if callable(signal.getsignal(signal.SIGINT)):
                    _thread.interrupt_main()
                else:
                    default = True
            except BaseException as raised:
                self.interrupted, error = True, raised
        return error, default

    def _wakes(self, received: signal.struct_siginfo) -> bool:
        """Tell whether a signal is the one that the helper thread sends at its end."""
        return received.si_pid == os.getpid() and self._outcome.done()


_helper: contextvars.ContextVar[_Helper | None] = contextvars.ContextVar(
    "fhe_estimators_helper", default=None
)


def interruptible(function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
    """Call a function that makes native calls; Ctrl-C raises when the one in flight ends.

    Parameters
    ----------
    function : callable
    *args, **kwargs
        Its arguments.

    Returns
    -------
    result : object
        What it returns.

    Raises
    ------
    KeyboardInterrupt
        In the main thread, or whatever the process's handler of SIGINT raises.
    """
    call = functools.partial(function, *args, **kwargs)
    if _libc() is None:
        return call()
    helper = _helper.get()
    if helper is None and _can_wait():
        return _Helper().compute(call)
    if helper is not None and helper.interrupted:
        raise KeyboardInterrupt
    with _disposition.kept():
        return call()


def evaluated(function: Callable[..., Result], *args: Any) -> Result:
    """Return the results of one evaluation or simulation, `interruptible`.

    The first one keeps what the engine's runtime takes over when it starts. Outside of the
    main thread, a watcher waits for the interpreter's lock: it gets it as soon as the
    engine has replaced what the process does on SIGINT, as long as all is `undisturbed`.
    """
    result: Result = interruptible(_evaluated, function, *args)
    return result


def _evaluated(function: Callable[..., Result], *args: Any) -> Result:
    global _started
    started, _started = _started, True
    with nullcontext() if started else signals_kept():
        if _libc() is not None and _helper.get() is None:
            _start_watcher()
        return function(*args)


def _start_watcher() -> None:
    """Start a thread that sets back the disposition when it next gets a turn."""
    begins = threading.Lock()

    def watch() -> None:
        try:
            with begins:
                _disposition.put_back()
        finally:
            undisturbed.release()
        for pause in _PAUSES:
            time.sleep(pause)
            _disposition.put_back()

    undisturbed.acquire()
    try:
        with begins:
            threading.Thread(target=watch, daemon=True).start()
    except BaseException:
        undisturbed.release()
        raise


def _can_wait() -> bool:
    """Tell whether this is the main thread, and SIGINT would be delivered to it."""
    return (
        sys.platform == "linux"
        and threading.current_thread() is threading.main_thread()
        and signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    )
