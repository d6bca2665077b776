"""Record, or check, what models cost that does not depend on the machine."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from tools.figures.models import MODELS, Figures, figures_of, figures_of_import
from tools.figures.records import (
    FOLDER,
    PAGE,
    Record,
    changed,
    latest,
    page,
    records,
    unexplained,
)
from tools.mirror.sources import ROOT

__all__ = ["main"]


def _measured() -> Figures:
    found = figures_of_import()
    for name in MODELS:
        found |= figures_of(name)
    return found


def _commit() -> str:
    """Return the short name of the commit that is checked out."""
    command = ["git", "rev-parse", "--short=10", "HEAD"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.strip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the command line by default.

    Returns
    -------
    status : int
        1 if there is something to write with ``--check``, or growth without a reason.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.figures", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    checks = parser.parse_args(arguments).check
    known, measured = records(), _measured()
    if checks:
        off = changed(known, measured)
        if PAGE.read_text(encoding="utf-8") != page(known):
            off.append(f"{PAGE.relative_to(ROOT)} is not that of the records")
        if off:
            print(*off, "Run `make figures`.", sep="\n", file=sys.stderr)
            return 1
    else:
        last = latest(known)
        new = {name: value for name, value in measured.items() if last.get(name) != value}
        if new:
            when = datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S")
            record = Record(when, _commit(), new)
            (FOLDER / f"{when}.json").write_text(record.text, encoding="utf-8")
            known = [*known, record]
        PAGE.write_text(page(known), encoding="utf-8")
    grown = unexplained(known, (ROOT / "CHANGES.md").read_text(encoding="utf-8"))
    if grown:
        print(*grown, sep="\n", file=sys.stderr)
        print("Tell why in CHANGES.md, with the name and the new value.", file=sys.stderr)
    return int(bool(grown))


if __name__ == "__main__":
    sys.exit(main())
