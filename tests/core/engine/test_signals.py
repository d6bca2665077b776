"""Ctrl-C interrupts, and the process's own signals stay its own."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from fhe_estimators.core.engine import interruptible

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's signals")

SCRIPT = Path(__file__).with_name("interrupts.py")


def send_soon():
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()


def survived(what, n_times):
    command = [sys.executable, "-W", "ignore", str(SCRIPT), what, str(n_times)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, (done.returncode, done.stdout[-20:], done.stderr)
    assert done.stdout.split()[-1] == str(n_times)


@pytest.mark.fhe
@pytest.mark.parametrize(
    "what", ["row", "keys", "compile", pytest.param("thread", marks=pytest.mark.nightly)]
)
def test_interrupts(what):
    survived(what, 2)


@pytest.mark.fhe
@pytest.mark.nightly
@pytest.mark.parametrize("what", ["row", "tables", "batch", "keys", "compile"])
def test_many_interrupts(what):
    survived(what, 40)


SIGNALS = """
import ctypes, signal, socket, sys, warnings
warnings.simplefilter("ignore")
signal.signal(signal.SIGTERM, lambda *_: None)
from sklearn.datasets import load_wine
from fhe_estimators import DecisionTreeClassifier

def handlers():
    found = {}
    for number in signal.valid_signals():
        action = ctypes.create_string_buffer(512)
        ctypes.CDLL(None).sigaction(int(number), None, action)
        found[number] = action.raw[:8]
    return found

before = handlers()
X, y = load_wine(return_X_y=True)
model = DecisionTreeClassifier(max_depth=2).fit(X, y)
model.compile(X)
assert handlers() == before, "compile"
for mode in sys.argv[1:]:
    model.predict(X[:1], fhe=mode)
    assert handlers() == before, mode

# Who writes to a connection that is closed at the other end gets an error.
ours, theirs = socket.socketpair()
theirs.close()
try:
    ours.sendall(b"rows")
except BrokenPipeError:
    print("lives")
"""


@pytest.mark.fhe
@pytest.mark.parametrize("modes", [("execute", "simulate"), ("simulate", "execute")])
def test_no_signal_is_taken_over(modes):
    """By neither of the two libraries that catch crashes: SIGTERM, SIGPIPE, SIGSEGV...

    The second one starts with the first call of either kind.
    """
    command = [sys.executable, "-c", SIGNALS, *modes]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "lives\n", "")


def test_results_and_errors_come_through():
    assert interruptible(divmod, 7, 3) == (2, 1)
    with pytest.raises(ZeroDivisionError):
        interruptible(divmod, 7, 0)


def test_an_interrupt_waits_for_the_call_in_flight():
    done = []

    def call():
        time.sleep(0.4)
        done.append("call")

    send_soon()
    with pytest.raises(KeyboardInterrupt):
        interruptible(call)
    assert done == ["call"]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_no_further_call_is_begun():
    begun = []

    def calls():
        for _ in range(100):
            interruptible(lambda: begun.append(time.sleep(0.05)))

    send_soon()
    with pytest.raises(KeyboardInterrupt):
        interruptible(calls)
    assert 1 <= len(begun) < 20


def test_a_handler_that_returns_lets_calls_go_on():
    seen = []
    previous = signal.signal(signal.SIGINT, lambda *_: seen.append(time.monotonic()))
    try:
        send_soon()
        start = time.monotonic()
        assert interruptible(lambda: time.sleep(0.6) or "done") == "done"
    finally:
        signal.signal(signal.SIGINT, previous)
    assert len(seen) == 1
    assert seen[0] - start < 0.5


def test_default_action_ends_the_process_afterwards():
    code = """
import os, signal, threading, time
from fhe_estimators.core.engine import interruptible
signal.signal(signal.SIGINT, signal.SIG_DFL)
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
interruptible(lambda: time.sleep(0.4) or print("done", flush=True))
print("alive")
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGINT, "done\n")


def test_numbers_of_errors_are_reported_as_elsewhere():
    """The helper thread does not change what numpy does in this one."""
    with np.errstate(divide="raise"):
        interruptible(np.seterr, divide="ignore")
        with pytest.raises(FloatingPointError):
            np.ones(1) / np.zeros(1)
