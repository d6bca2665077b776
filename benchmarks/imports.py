"""How long importing takes."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
from functools import partial
from itertools import zip_longest

import fhe_estimators
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


def public_modules() -> list[str]:
    """Return the names of all modules that users import from."""
    found = [module.name for module in pkgutil.iter_modules(fhe_estimators.__path__)]
    return [f"fhe_estimators.{name}" for name in found if not name.startswith("_")]


def _own_and_needed(module: str) -> dict[str, float]:
    """Return the milliseconds of importing a module: ours, and what it needs."""
    code = f"import {module}"
    command = [sys.executable, "-W", "ignore", "-X", "importtime", "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return divided(done.stderr)


def divided(told: str) -> dict[str, float]:
    """Return milliseconds of our modules and of others from what ``-X importtime`` tells.

    Those that the interpreter starts with, up to ``site``, count for neither.
    """
    taken = {"own": 0.0, "needed": 0.0}
    for own, name in re.findall(
        r"^import time: +(\d+) \| +\d+ \| +(\S+)$",
        told.rpartition(" | site\n")[2],
        re.MULTILINE,
    ):
        whose = "own" if name.partition(".")[0] == "fhe_estimators" else "needed"
        taken[whose] += int(own) / 1e3
    return taken


def import_modules(setup: Setup) -> list[Row]:
    """Milliseconds of our own files in the import of each public module, and of all others.

    Ours may take no longer than what they need.
    """
    modules = public_modules()
    found = setup.alternate(*(partial(_own_and_needed, module) for module in modules))
    return [
        {
            "module": module,
            "own (ms)": taken["own"],
            "needed (ms)": taken["needed"],
            "goal": at_most(1, taken["own"] / taken["needed"], " of the needed"),
        }
        for module, taken in zip(modules, found, strict=True)
    ]


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
