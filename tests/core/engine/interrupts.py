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
    from fhe_estimators import DecisionTreeClassifier, LogisticRegression

#: Seconds within which an interrupt must be seen: those of a call, and much more.
PATIENCE = 60
#: Sends SIGINT to a process after each line with a delay in seconds that it reads.
SENDER = """
import os, signal, sys, time
for line in sys.stdin:
    time.sleep(float(line))
    os.kill({pid}, signal.SIGINT)
"""


def disposition():
    """Return handler, mask and flags of SIGINT, as the system has them."""
    action = ctypes.create_string_buffer(512)
    ctypes.CDLL(None).sigaction(int(signal.SIGINT), None, action)
    return action.raw[:16] + action.raw[136:140], signal.getsignal(signal.SIGINT)


class Interrupted:
    """A model, what is done with it, and for how long it goes on."""

    def __init__(self, what):
        self.X, self.y = load_wine(return_X_y=True)
        model = DecisionTreeClassifier(max_depth=2)
        if what in ("row", "batch", "thread-batch"):
            model = LogisticRegression(solver="newton-cholesky")
        self.model = model.fit(self.X, self.y)
        self.model.compile(self.X)
        self.model.fhe_circuit_.keygen()
        self.expected = self.model.predict(self.X[:2])
        self.what, self.span = what, 0.5

    def check(self):
        np.testing.assert_array_equal(
            self.model.predict(self.X[:2], fhe="execute"), self.expected
        )

    def work(self):
        """Do it once."""
        if self.what.endswith("compile"):
            self.model.compile(self.X)
        elif self.what.endswith("keys"):
            self.model.fhe_circuit_.keygen(force=True)
        elif self.what.endswith("batch"):
            self.model.predict(np.tile(self.X, (5, 1)), fhe="execute")
        else:
            self.model.predict(self.X[:1], fhe="execute")

    def go_on(self):
        """Do it until this is interrupted."""
        if not self.what.startswith("thread"):
            while True:
                self.work()
        over = threading.Event()

        def work():
            while not over.is_set():
                self.work()

        thread = threading.Thread(target=work, daemon=True)
        try:
            thread.start()
            time.sleep(PATIENCE)
        finally:
            over.set()
            if thread.ident is not None:
                thread.join()


def main(what, n_times):
    process = Interrupted(what)
    process.check()
    before = disposition()
    random.seed(os.getpid())
    sender = subprocess.Popen(
        [sys.executable, "-c", SENDER.format(pid=os.getpid())],
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for done in range(n_times):
        cleaned = False
        sender.stdin.write(f"{random.uniform(0, process.span)}\n")
        sender.stdin.flush()
        start = time.monotonic()
        try:
            try:
                process.go_on()
            finally:
                cleaned = True
        except KeyboardInterrupt:
            pass
        assert cleaned
        assert time.monotonic() - start < PATIENCE
        assert disposition() == before, f"{disposition()} instead of {before}"
        process.check()
        assert disposition() == before
        print(done + 1, flush=True)
    sender.stdin.close()
    sender.wait()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
