"""How long importing takes."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from itertools import zip_longest

from benchmarks.report import Row, at_most
from benchmarks.tools import Setup, against, seconds

#: Prints which of the heavy dependencies were imported.
LOADED = "import sys; print(*[m for m in ('torch', 'concrete') if m in sys.modules])"
#: Fits and predicts in clear, with what was imported before.
FIRST = (
    "import numpy as np; X, y = np.arange(20.0).reshape(10, 2), np.arange(10) % 2; "
    "LogisticRegression().fit(X, y).predict(X)"
)


def _run(python: str, code: str) -> str:
    done = subprocess.run(
        [python, "-W", "ignore", "-c", code], check=True, capture_output=True, text=True
    )
    return done.stdout


def _start(python: str, code: str) -> float:
    return seconds(lambda: _run(python, code))


def import_time(setup: Setup) -> list[Row]:
    """Import in a new interpreter, less what its start takes without.

    The package alone imports next to nothing, so only the other rows compare with the
    peer: those that get as far as an estimator, and as far as a first prediction.
    """
    python = sys.executable
    estimator = "from fhe_estimators import LogisticRegression"
    codes = {"package": "import fhe_estimators", "estimator": estimator}
    codes["first prediction"] = f"{estimator}; {FIRST}"
    sides = [partial(_start, python, code) for code in ("", *codes.values())]
    if setup.peer:
        peer = "from concrete.ml.sklearn import LogisticRegression"
        peers = ("", peer, f"{peer}; {FIRST}")
        sides += [partial(_start, setup.peer.python, code) for code in peers]
    for side in sides:
        side()  # files are in memory from here on
    medians = setup.alternate(*sides)
    ours, theirs = medians[: len(codes) + 1], medians[len(codes) + 1 :]
    taken = [None, *(median - theirs[0] for median in theirs[1:])] if theirs else []
    rows = []
    for (what, code), median, other in zip_longest(codes.items(), ours[1:], taken):
        found = _run(python, f"{code}; {LOADED}").strip()
        rows.append(
            {**against(what, "s", median - ours[0], other), "loads": found or "neither"}
        )
    rows[0]["goal"] = at_most(0.3, rows[0]["ours"], " s")
    return rows
