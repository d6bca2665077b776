"""How long importing takes."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from benchmarks.report import Row, at_most
from benchmarks.tools import Setup, against, seconds

HEAVY = ("torch", "concrete")


def _run(python: str, code: str) -> str:
    done = subprocess.run(
        [python, "-W", "ignore", "-c", code], check=True, capture_output=True, text=True
    )
    return done.stdout


def _start(python: str, code: str) -> float:
    return seconds(lambda: _run(python, code))


def import_time(setup: Setup) -> list[Row]:
    """Import in a new interpreter, less what its start takes without."""
    package = "import fhe_estimators"
    estimator = "from fhe_estimators import LogisticRegression"
    sides = [partial(_start, sys.executable, code) for code in ("", package, estimator)]
    if setup.peer:
        peer = "import concrete.ml.sklearn"
        sides += [partial(_start, setup.peer.python, code) for code in ("", peer)]
    for side in sides:
        side()  # files are in memory from here on
    bare, ours, first, *theirs = setup.alternate(*sides)
    imported = theirs[1] - theirs[0] if theirs else None
    loaded = f"import sys; print(*[m for m in {HEAVY} if m in sys.modules])"
    heavy = {
        code: _run(sys.executable, f"{code}; {loaded}").split()
        for code in (package, estimator)
    }
    return [
        {
            **against(package, "s", ours - bare, imported),
            "loads": " ".join(heavy[package]) or f"no {', no '.join(HEAVY)}",
            "goal": at_most(0.3, ours - bare, " s"),
        },
        {
            **against(estimator, "s", first - bare, imported),
            "loads": " ".join(heavy[estimator]) or f"no {', no '.join(HEAVY)}",
        },
    ]
