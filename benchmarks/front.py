"""The picture of the front page, from the table of networks of ``docs/benchmarks.md``.

Run ``python -m benchmarks.front`` after a change of that table.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[1] / "docs"
TICKS = (0.1, 0.2, 0.5, 1, 2, 5)
PICTURE = DOCS / "accuracy_and_seconds.png"


class Point(NamedTuple):
    data: str
    what: str
    ours: tuple[float, float]
    peer: tuple[float, float]


def points() -> list[Point]:
    """Return seconds and accuracy of each network of the table, ours and the peer's."""
    page = (DOCS / "benchmarks.md").read_text("utf-8")
    cell = r" ([\d.]+) \|"
    lines = re.findall(rf"^\| (\w[\w ]*), ([^|]+) \|{cell * 7}$", page, re.MULTILINE)
    return [
        Point(data, what, (float(s), float(a)), (float(other_s), float(other_a)))
        for data, what, s, a, _, other_s, other_a, _, _ in lines
        if "-" in what
    ]


def main() -> None:
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    mpl.use("agg")
    found = points()
    names = list(dict.fromkeys(point.data for point in found))
    fig, axes = plt.subplots(
        1, len(names), figsize=(8, 3.2), sharex=True, layout="constrained"
    )
    for ax, name in zip(axes, names, strict=True):
        for point in (p for p in found if p.data == name):
            ax.annotate("", point.ours, point.peer, arrowprops={"arrowstyle": "->"})
            ax.scatter(*point.peer, color="tab:orange", s=60, zorder=3)
            ax.scatter(*point.ours, color="tab:blue", s=60, zorder=3)
            short = point.what.replace(", exact rounding", "")
            ax.annotate(short, point.ours, (-8, 9), textcoords="offset points", size=8)
        ax.set(title=name, xscale="log", xlabel="seconds of an encrypted row, two cores")
        ax.margins(0.2, 0.25)
        ax.set_xticks(TICKS, map(str, TICKS))
        ax.minorticks_off()
    fig.set_layout_engine("constrained")
    axes[0].set_ylabel("accuracy")
    axes[0].scatter([], [], color="tab:blue", label="fhe_estimators")
    axes[0].scatter([], [], color="tab:orange", label="Concrete ML 1.9")
    fig.legend(loc="outside upper center", ncols=2, fontsize=8)
    fig.savefig(PICTURE, dpi=130, metadata={"Software": None})


if __name__ == "__main__":
    main()
