"""The integer graph of how many of the nearest rows are of each class."""

from __future__ import annotations

import numpy as np

from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.nearest._forms import Forms
from fhe_estimators.core.nearest._plan import Plan

#: Bits that are read of a difference for its sign: fewer take more tables of one bit, more
#: a larger one. At any failure probability these are cheapest (``python -m benchmarks
#: neighbors``).
_READ = 4


def vote_graph(
    forms: Forms, what: Plan, classes: np.ndarray, n_neighbors: int, n_bits: int
) -> Graph:
    """Return the graph: from integers of rows to numbers of votes.

    A row ``i`` is not nearer than ``j`` if the difference of their scores is below zero;
    how many rows are nearer than one is a sum of such signs; it is among the nearest if
    these are less than `n_neighbors`.

    Parameters
    ----------
    forms : Forms
        Of integers, whose differences have `n_bits` bits.
    what : Plan
    classes : ndarray of int64 of shape (n_rows,)
    n_neighbors : int
    n_bits : int

    Returns
    -------
    graph : Graph
        One input, (n_samples, n_features), and one output, (n_samples, n_classes).
    """
    n_classes, half = int(classes.max()) + 1, 1 << (n_bits - 1)
    differences = forms.differences(what.first, what.second)
    lowest, highest = (end - differences.constant for end in differences.reach())
    # It is rounded down, so that the sign stays.
    lsbs = max(0, n_bits - _READ)
    signs = np.arange(1 << (n_bits - lsbs)) < 1 << (n_bits - lsbs - 1)

    column = {row: place for place, row in enumerate(what.ranked.tolist())}
    n_pairs, n_ranked = len(what.first), len(what.ranked)
    nearer, behind = np.zeros((n_pairs, n_ranked), np.int64), what.sure.copy()
    for pair, (i, j) in enumerate(_pairs(what)):
        if i in column:
            nearer[pair, column[i]] = 1
        if j in column:  # where `i` is nearer, which is where the sign is not
            nearer[pair, column[j]] = -1
            behind[column[j]] += 1
    sums = np.minimum(nearer, 0).sum(axis=0), np.maximum(nearer, 0).sum(axis=0)
    most = int((sums[1] + behind).max(initial=0))

    votes = np.zeros((n_ranked, n_classes), np.int64)
    votes[np.arange(n_ranked), classes[what.ranked]] = 1
    votes[:, what.rest] = -1
    rest = n_neighbors * (np.arange(n_classes) == what.rest)

    def value(name: str, size: int, low: int, high: int) -> Value:
        return Value(name, (None, size), int(low), int(high))

    x = value("x", len(forms.low), forms.low.min(), forms.high.max())
    y = value("votes", n_classes, 0, n_neighbors)
    between = [
        value("products", n_pairs, lowest.min(), highest.max()),
        value("differences", n_pairs, -half, half - 1),
        value("signs", n_pairs, 0, 1),
        value("counts", n_ranked, sums[0].min(), sums[1].max()),
        value("ranks", n_ranked, 0, most),
        value("nearest", n_ranked, 0, 1),
        value("sums", n_classes, -n_neighbors, n_neighbors),
        y,
    ]
    first = (1 << lsbs >> 1) - half
    nodes = (
        Node("MatMul", ("x", "weights"), ("products",)),
        Node("Add", ("products", "constant"), ("differences",)),
        Node(
            "TableLookup",
            ("differences", "is_negative"),
            ("signs",),
            {"first": first, "lsbs": lsbs},
        ),
        Node("MatMul", ("signs", "nearer"), ("counts",)),
        Node("Add", ("counts", "behind"), ("ranks",)),
        Node("TableLookup", ("ranks", "is_nearest"), ("nearest",), {"first": 0}),
        Node("MatMul", ("nearest", "of_class"), ("sums",)),
        Node("Add", ("sums", "rest"), ("votes",)),
    )
    constants = {
        "weights": np.ascontiguousarray(differences.weights.T),
        "constant": differences.constant,
        "is_negative": signs.astype(np.int64),
        "nearer": nearer,
        "behind": behind,
        "is_nearest": (np.arange(most + 1) < n_neighbors).astype(np.int64),
        "of_class": votes,
        "rest": rest,
    }
    return Graph(nodes, (x,), (y,), constants, {one.name: one for one in between})


def _pairs(what: Plan) -> list[tuple[int, int]]:
    return list(zip(what.first.tolist(), what.second.tolist(), strict=True))
