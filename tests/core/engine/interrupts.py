"""A process to interrupt: ``python interrupts.py WHAT N``.

It does WHAT until it is interrupted, N times, at random moments, and checks after each that
``finally`` ran, that SIGINT does what it did before, and that the model predicts. It prints
the number of interrupts that it survived.
"""

import ctypes
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
from sklearn.datasets import load_wine

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fhe_estimators import (
        DecisionTreeClassifier,
        LogisticRegression,
        RandomForestClassifier,
    )

#: Seconds within which an interrupt must be seen: those of a call, and much more.
PATIENCE = 60
#: Sends SIGINT to a process some seconds after each line that it reads, as others do.
SENDER = """
import os, signal, sys, time
for line in sys.stdin:
    time.sleep(float(line))
    os.kill({pid}, signal.SIGINT)
"""


def disposition():
    """Return what Python and the system do on SIGINT: handler, mask and flags."""
    action = ctypes.create_string_buffer(512)
    ctypes.CDLL(None).sigaction(int(signal.SIGINT), None, action)
    return signal.getsignal(signal.SIGINT), action.raw[:16] + action.raw[136:140]


class Task:
    """A model, and what is done with it."""

    def __init__(self, what):
        X, y = load_wine(return_X_y=True)
        if what in ("row", "batch"):
            model = LogisticRegression(solver="newton-cholesky")
        elif what == "thread":
            model = RandomForestClassifier(150, max_depth=4, random_state=0)
        else:
            model = DecisionTreeClassifier(max_depth=3)
        self.X, self.model = X, model.fit(X, y)
        model.compile(X)
        model.fhe_circuit_.keygen()
        self.do = getattr(self, what)

    def compile(self):
        self.model.compile(self.X)

    def keys(self):
        self.model.fhe_circuit_.keygen(force=True)

    def row(self):
        self.model.predict(self.X[:1], fhe="execute")

    tables = row

    def batch(self):
        self.model.predict(np.tile(self.X, (5, 1)), fhe="execute")

    def check(self):
        rows = self.X[::80]
        expected = self.model.predict(rows)
        np.testing.assert_array_equal(self.model.predict(rows, fhe="execute"), expected)

    def thread(self):
        """One call of a second or more in another thread; SIGINT comes in the middle.

        While it begins, in the first milliseconds, it is not safe.
        """
        rows = self.X[:1]
        thread = threading.Thread(target=self.model.predict, args=(rows,), kwargs=EXECUTE)
        thread.start()
        try:
            while True:
                time.sleep(PATIENCE)
        finally:
            assert thread.is_alive()
            thread.join()


EXECUTE = {"fhe": "execute"}


def main(what, n_times):
    before = disposition()
    task = Task(what)
    task.check()
    assert disposition() == before, f"{disposition()} instead of {before}"
    sender = subprocess.Popen(
        [sys.executable, "-c", SENDER.format(pid=os.getpid())],
        stdin=subprocess.PIPE,
        text=True,
    )
    for done in range(n_times):
        delay = 0.5 if what == "thread" else random.uniform(0, 0.5)
        print(delay, file=sender.stdin, flush=True)
        start, cleaned = time.monotonic(), False
        try:
            try:
                while time.monotonic() - start < PATIENCE:
                    task.do()
            finally:
                cleaned = True
        except KeyboardInterrupt:
            assert cleaned
        else:
            raise AssertionError("no interrupt was seen")
        assert disposition() == before, f"{disposition()} instead of {before}"
        task.check()
        print(done + 1, flush=True)
    sender.communicate()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
