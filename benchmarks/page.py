"""Write, or check, the page of the results that are kept in `benchmarks/results/`."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from inspect import getdoc
from pathlib import Path
from typing import Any

from benchmarks import MODULE_OF
from benchmarks.report import Row, shown

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks_measured.md"

_HEAD = """# Benchmarks, as measured

Written by `python -m benchmarks.page` from the files in `benchmarks/results/`, which
`python -m benchmarks NAME --json FILE` writes. Medians; sides take turns.
"""


def page(found: dict[str, Any]) -> str:
    """Return the page of the content of result files, by their names."""
    lines = [_HEAD]
    for content in found.values():
        for name, rows in content["results"].items():
            function = getattr(
                importlib.import_module(f"benchmarks.{MODULE_OF[name]}"), name
            )
            lines += [f"## {name}\n", f"{getdoc(function)}\n", *_table(rows), ""]
            if (PAGE.parent / f"{name}.png").exists():
                lines.append(f"![Stages of each library]({name}.png)\n")
        sides = {side: content[side] for side in ("ours", "peer") if side in content}
        for side, about in sides.items():
            lines.append(f"- {side}: {', '.join(f'{k} {v}' for k, v in about.items())}")
        lines.append(f"- rounds: {content['repeat']}\n")
    return "\n".join(lines).rstrip() + "\n"


def _table(rows: Sequence[Row]) -> list[str]:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    columns = [c for c in columns if any(row.get(c) is not None for row in rows)]
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    return [f"| {' | '.join(line)} |" for line in (columns, ["---"] * len(columns), *cells)]


def _cell(value: Any) -> str:
    if isinstance(value, dict):  # a goal
        sign = "at least" if value["least"] else "at most"
        verdict = "met" if value["met"] else "missed"
        return f"{sign} {value['bound']:g}{value['unit']}: {verdict}"
    return shown(value)


def plot_stages(rows: Sequence[Row], path: Path) -> None:
    """Write a picture of the milliseconds of each stage, a bar for each library."""
    from matplotlib.figure import Figure

    from benchmarks.stages import STAGES

    counts = sorted({row["rows"] for row in rows})
    figure = Figure(figsize=(8, 2.8), layout="constrained")
    places = figure.subplots(1, len(counts), squeeze=False)[0]
    for count, axes in zip(counts, places, strict=True):
        bars = [row for row in rows if row["rows"] == count][::-1]
        left = [0.0] * len(bars)
        for stage in STAGES:
            widths = [row[f"{stage} (ms)"] or 0 for row in bars]
            axes.barh([row["library"] for row in bars], widths, left=left, label=stage)
            left = [a + b for a, b in zip(left, widths, strict=True)]
        axes.set(title=f"{count} row{'s' * (count > 1)}", xlabel="milliseconds")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right", fontsize="small")
    figure.savefig(path, dpi=120)


def results() -> dict[str, Any]:
    """Return the content of all files of results, by name."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(RESULTS.glob("*.json"))
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if there is something to write with ``--check``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    checks, found = parser.parse_args(arguments).check, results()
    if checks:
        same = PAGE.read_text(encoding="utf-8") == page(found)
        if not same:
            print("Run `python -m benchmarks.page`.", file=sys.stderr)
        return int(not same)
    for content in found.values():
        for name, rows in content["results"].items():
            if name == "linear_stages":
                plot_stages(rows, PAGE.parent / f"{name}.png")
    PAGE.write_text(page(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
