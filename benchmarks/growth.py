"""How the cost of boosted trees on an encrypted row grows with their number and size."""

from __future__ import annotations

import os
from typing import Any

from sklearn.datasets import make_classification

from benchmarks.costs import P_ERROR, Encrypted
from benchmarks.report import Row
from benchmarks.tools import Setup, progress
from fhe_estimators import CompilationError, GradientBoostingClassifier

#: What is measured; one entry at a time takes other values.
_BASE = {"trees": 20, "depth": 3, "features": 20, "classes": 2, "n_bits": 4}
_VALUES = {
    "trees": (5, 10, 20, 50, 100, 200),
    "depth": (1, 2, 3, 4, 5, 6),
    "features": (5, 10, 20, 50, 100),
    "classes": (2, 3, 5, 10),
    "n_bits": (1, 2, 3, 4, 5, 6, 8),
}


def tree_growth(setup: Setup) -> list[Row]:
    """Cost by number of trees, depth, features, classes and bits.

    The environment variable FHE_BENCH_PLOT names a file for a plot of it.
    """
    rows: list[Row] = []
    for varied, values in _VALUES.items():
        for value in values:
            progress(f"{varied} {value}")
            shape = {**_BASE, varied: value}
            rows.append({"varied": varied, "value": value, **_cost(setup, **shape)})
    file = os.environ.get("FHE_BENCH_PLOT")
    if file:
        _plot(rows, file)
    return rows


def _cost(
    setup: Setup, trees: int, depth: int, features: int, classes: int, n_bits: int
) -> Row:
    X, y = make_classification(
        1000,
        features,
        n_informative=max(4, features // 2),
        n_redundant=0,
        n_classes=classes,
        random_state=0,
    )
    model = GradientBoostingClassifier(
        n_estimators=trees, max_depth=depth, random_state=0, n_bits=n_bits, p_error=P_ERROR
    )
    try:
        encrypted = Encrypted(model, X, y)
    except CompilationError as error:
        return {"note": str(error)[:100]}
    (taken,) = setup.alternate(encrypted.one_row)
    facts = encrypted.facts
    return {
        "server (s)": taken["operate"],
        "total (s)": taken["total"],
        "tables": facts["tables"],
        "complexity": float(encrypted.circuit.complexity),
        "widest bits": encrypted.circuit.maximum_bit_width,
        "bytes up": int(taken["up"]),
        "bytes down": int(taken["down"]),
        "keygen (s)": facts["keygen"],
        "compile (s)": facts["compile"],
    }


def _plot(rows: list[Row], file: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3 * len(_VALUES), 3), layout="constrained")
    axes: Any = figure.subplots(1, len(_VALUES), sharey=True)
    for axis, varied in zip(axes, _VALUES, strict=True):
        found = [row for row in rows if row["varied"] == varied and "note" not in row]
        values, taken = ([row[key] for row in found] for key in ("value", "server (s)"))
        axis.plot(values, taken, "o-")
        axis.set_xlabel(varied)
    axes[0].set(ylabel="server, seconds a row", ylim=(0, None))
    figure.savefig(file)
