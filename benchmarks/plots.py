"""Pictures of results: what each library takes, beside the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import Row
from benchmarks.tools import STAGES

#: How the other side is called where rows say "peer".
PEER = "Concrete ML"


class Plot(NamedTuple):
    """A picture of the rows of one benchmark."""

    about: str
    #: Writes the picture of rows to a file.
    write: Callable[[Sequence[Row], Path], None]


def plot_stages(rows: Sequence[Row], path: Path) -> None:
    """Write a picture of the milliseconds of each stage, a bar for each library."""
    from matplotlib.figure import Figure

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


def seconds_by_side(rows: Sequence[Row], case: str) -> dict[str, dict[str, float]]:
    """Return the seconds of one encrypted row of each case, by the name of the side.

    Parameters
    ----------
    rows : sequence of dict
        Those without a total, which failed or sum up, are left out.
    case : str
        A format of what a case is called, such as ``"{data}, {model}"``.
    """
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.get("total (ms)") is not None:
            ours = row["side"].startswith("ours")
            side = "ours" if ours else row["side"].replace("peer", PEER)
            found.setdefault(side, {})[case.format(**row)] = row["total (ms)"] / 1e3
    return found


def plot_sides(rows: Sequence[Row], path: Path, *, case: str) -> None:
    """Write a picture of `seconds_by_side`, a line for each case, a mark for each side."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    found = seconds_by_side(rows, case)
    cases = list(dict.fromkeys(name for taken in found.values() for name in taken))
    places = {name: -place for place, name in enumerate(cases)}
    figure = Figure(figsize=(8, 1.2 + 0.25 * len(cases)), layout="constrained")
    axes = figure.subplots()
    for (side, taken), mark in zip(found.items(), "osD^v", strict=False):
        axes.plot(list(taken.values()), [places[n] for n in taken], mark, label=side)
    axes.set_yticks(list(places.values()), cases)
    axes.set_ylim(min(0, 1 - len(cases)) - 0.5, 0.5)
    axes.grid(visible=True, axis="x", alpha=0.3)
    axes.set(xscale="log", xlabel="seconds of one encrypted row, end to end")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    if found:
        figure.legend(loc="outside upper center", ncols=len(found), fontsize="small")
    figure.savefig(path, dpi=120)


_BESIDE = f"Seconds of one encrypted row, ours and those of {PEER}"
#: The pictures, by the benchmark.
PLOTS = {
    "linear_stages": Plot("Stages of each library", plot_stages),
    "trees": Plot(_BESIDE, partial(plot_sides, case="{data}, {model}")),
    "networks": Plot(_BESIDE, partial(plot_sides, case="{network}, {bits} bits")),
}
