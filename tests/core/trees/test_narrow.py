"""What a table has to hold when functions of one feature are taken out."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.core.trees import Leaf, SplitNode, TableSum, evaluate_tree, simplified
from fhe_estimators.core.trees.groups import Fragment, gates_of
from fhe_estimators.core.trees.narrow import additive_part
from fhe_estimators.core.trees.partitions import classes_of, contains
from fhe_estimators.core.trees.tree import split_by
from tests.core.trees.random_trees import BITS, N_EDGES, N_FEATURES, ZERO, bounds_of, run


def test_functions_of_one_feature_leave_narrow_tables():
    """A sum of two stumps with a small interaction: the table holds the interaction."""
    values = [[0, 100], [40, 147]]
    tree = SplitNode(
        0,
        1,
        *(SplitNode(1, 2, *(Leaf(np.array([value])) for value in row)) for row in values),
    )
    sums = TableSum.of([tree], BITS, 3)
    graph = sums.lowered().graph
    (table,) = (n for n in graph if n.op == "TableLookup")
    assert np.ptp(graph.constants[table.inputs[1]]) <= 4
    bins = np.random.default_rng(0).integers(0, N_EDGES + 1, size=(50, N_FEATURES))
    for room in (4, 6, math.inf):
        np.testing.assert_array_equal(
            run([tree], bins, BITS, 3, room, "thermometer"), evaluate_tree(tree, bins)
        )


@given(st.integers(0, 2**32 - 1), st.integers(0, 2))
def test_additive_part_and_rest_add_up(seed, n_gates):
    random = np.random.default_rng(seed)
    path = [
        SplitNode(f, int(random.integers(N_EDGES)), Leaf(ZERO), Leaf(ZERO)) for f in (2, 3)
    ]

    def grown(left):
        if not left:
            return Leaf(random.integers(-50, 50, size=1))
        several = np.flatnonzero(random.random(N_EDGES + 1) < 0.5).tolist()
        edge = range(int(random.integers(N_EDGES)) + 1)
        bounds = bounds_of(several if random.random() < 0.3 else edge, N_EDGES)
        return split_by(left - 1, bounds, grown(left - 1), grown(left - 1))

    tree = simplified(grown(2))
    for split in path[:n_gates]:
        tree = SplitNode(split.feature, split.edge, tree, split.below)
    box = {split.feature: (-1, split.edge) for split in path[:n_gates]}
    inner = tree
    for _ in range(n_gates):
        inner = inner.below
    group = Fragment(gates_of(box), inner, 0).as_group()
    table = group.table(N_FEATURES)[:, 0]
    left, functions = additive_part(group, table, dict.fromkeys(range(N_FEATURES), N_EDGES))
    assert np.ptp(left) <= np.ptp(table)
    # Through the integer graph of this group alone.
    bins = random.integers(0, N_EDGES + 1, size=(40, N_FEATURES))
    index = np.zeros(40, np.int64)
    for feature, partition, weight in group.digits():
        index += weight * classes_of(partition, bins[:, feature])
    held = [contains(bounds, bins[:, f]) for f, bounds in group.gates]
    index += np.sum(held, axis=0, dtype=np.int64) * (group.states // (len(held) + 1))
    found = left[index] + sum(values[bins[:, f]] for f, values in functions.items())
    np.testing.assert_array_equal(found, evaluate_tree(tree, bins)[:, 0])
