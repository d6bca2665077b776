"""What wide values of trees cost: in tables, and in sums without a table."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.prices import Unlimited
from benchmarks.report import Row
from benchmarks.tools import Setup, progress
from fhe_estimators import CompilationError
from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.trees import Bits, Leaf, TableSum
from fhe_estimators.core.trees.search import WIDE_VALUES, WIDEST_SUM
from fhe_estimators.core.trees.tree import SplitNode

#: Of the default `p_error`, and of one for which much is wider.
_P_ERRORS = (2.0**-64, 2.0**-10)
#: Tables in a sum, what they read, and what the others are compared with.
_TABLES, _READ, _NARROW = (10, 100, 1000), 4, 6
#: Room of columns below which parameters get no cheaper, and no limit.
_ROOMS = (8, math.inf)


def widths(setup: Setup) -> list[Row]:
    """How much more sums cost whose parts span more bits, beside what is declared."""
    rows: list[Row] = []
    for p_error in _P_ERRORS:
        name = f"2**{math.log2(p_error):.0f}"
        for bits in sorted({_NARROW, *WIDE_VALUES} - {0}):
            progress(f"tables, {name}, {bits} bits")
            row: Row = {"what": "tables", "p_error": name, "bits of values": bits}
            for n in _TABLES:
                narrow = _complexity(summed(n, _NARROW), p_error)
                row[f"{n} of them"] = (
                    f"{_complexity(summed(n, bits), p_error) / narrow:.3g}"
                )
            row["declared"] = WIDE_VALUES[
                max(least for least in WIDE_VALUES if least <= bits)
            ]
            rows.append(row)
        for bits in (16, 24, 32, WIDEST_SUM):
            progress(f"no table, {name}, {bits} bits")
            row = {
                "what": "columns without a table",
                "p_error": name,
                "bits of values": bits,
            }
            row["declared"] = 1.0 if bits <= WIDEST_SUM else math.inf
            for room in _ROOMS:
                graph = stumps(bits - 1, room)
                served = _complexity(graph, p_error) < math.inf
                n_columns = sum(value.row_size for value in graph.outputs)
                row[f"room {room}"] = f"{n_columns}" if served else "no parameters"
            rows.append(row)
    return rows


def summed(n: int, bits: int) -> Graph:
    """Return a graph that adds up `n` tables whose values have so many bits."""
    most, top = (1 << _READ) - 1, (1 << bits) - 1
    x, y = Value("x", (None, n), 0, most), Value("y", (None, n), 0, top)
    z = Value("z", (None, 1), 0, top * n)
    nodes = (
        Node("TableLookup", ("x", "table"), ("y",), {"first": 0}),
        Node("MatMul", ("y", "ones"), ("z",)),
    )
    entries = np.arange(most + 1) * top // most
    constants = {"table": entries, "ones": np.ones((n, 1), np.int64)}
    return Graph(nodes, (x,), (z,), constants, {"y": y, "z": z})


def stumps(bits: int, room: float) -> Graph:
    """Return a graph of two trees with one split and leaves that are so many bits apart."""
    leaf = (1 << bits) - 1
    trees = [
        SplitNode(feature, 0, Leaf(np.array([0])), Leaf(np.array([leaf - feature])))
        for feature in range(2)
    ]
    sums = TableSum.of(trees, Bits((0, 1), (1, 1)), _READ)
    return sums.lowered(sums.columns(room)).graph


def _complexity(graph: Graph, p_error: float) -> float:
    try:
        return Circuit(graph, p_error=p_error, engine=Unlimited()).complexity
    except CompilationError:
        return math.inf
