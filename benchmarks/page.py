"""Write, or check, the page of the results that are kept in `benchmarks/results/`."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from inspect import getdoc
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks import MODULE_OF
from benchmarks.plots import PLOTS
from benchmarks.report import Row, shown

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks_measured.md"

_HEAD = """# Benchmarks, as measured

Written by `python -m benchmarks.page` from the files in `benchmarks/results/`, which
`python -m benchmarks NAME --json FILE` writes. Medians, of each column by itself; sides
take turns.
"""


def page(found: dict[str, Any]) -> str:
    """Return the page of the content of result files, by their names.

    What has no results has no section.
    """
    lines = [_HEAD]
    for content in sorted(found.values(), key=_place):
        for name, rows in content["results"].items():
            function = getattr(
                importlib.import_module(f"benchmarks.{MODULE_OF[name]}"), name
            )
            lines += [f"## {name}\n", f"{getdoc(function)}\n"]
            for _, alike in groupby(rows, key=lambda row: next(iter(row))):
                lines += [*_table(list(alike)), ""]
            if name in PLOTS:
                lines.append(f"![{PLOTS[name].about}]({name}.png)\n")
        sides = {side: content[side] for side in ("ours", "peer") if side in content}
        for side, about in sides.items():
            lines.append(f"- {side}: {', '.join(f'{k} {v}' for k, v in about.items())}")
        lines.append(f"- rounds: {content['repeat']}\n")
    return "\n".join(lines).rstrip() + "\n"


def _place(content: dict[str, Any]) -> int:
    """Return where the first benchmark of a file stands among all benchmarks."""
    return min(map(list(MODULE_OF).index, content["results"]))


def _table(rows: Sequence[Row]) -> list[str]:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    columns = [c for c in columns if any(row.get(c) is not None for row in rows)]
    columns.sort(key="goal".__eq__)  # it comes last
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    return [f"| {' | '.join(line)} |" for line in (columns, ["---"] * len(columns), *cells)]


def _cell(value: Any) -> str:
    if isinstance(value, dict):  # a goal
        sign = "at least" if value["least"] else "at most"
        verdict = "met" if value["met"] else "missed"
        return f"{sign} {value['bound']:g}{value['unit']}: {verdict}"
    return shown(value)


def results(folder: Path = RESULTS) -> dict[str, Any]:
    """Return the content of all files of results, by name, but of those without any row."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        content["results"] = {name: r for name, r in content["results"].items() if r}
        if content["results"]:
            found[path.stem] = content
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if there is something to write with ``--check``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of results")
    parser.add_argument("--page", type=Path, default=PAGE, help="the file to write")
    given = parser.parse_args(arguments)
    found = results(given.results)
    if given.check:
        same = given.page.read_text(encoding="utf-8") == page(found)
        if not same:
            print("Run `python -m benchmarks.page`.", file=sys.stderr)
        return int(not same)
    for content in found.values():
        for name, rows in content["results"].items():
            if name in PLOTS:
                PLOTS[name].write(rows, given.page.parent / f"{name}.png")
    given.page.write_text(page(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
