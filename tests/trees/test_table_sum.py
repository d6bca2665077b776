"""Random ensembles of integer trees against their integer graphs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhe_estimators.circuit._bounds import extremes
from fhe_estimators.engine import ClearProgram
from fhe_estimators.graph import INTEGER, check
from fhe_estimators.operators import supported
from fhe_estimators.rewrite.trees import (
    Bits,
    Leaf,
    Split,
    TableSum,
    evaluate_tree,
    simplified,
)

N_FEATURES = 4
N_EDGES = 5


def values(n_outputs):
    numbers = st.lists(st.integers(-9, 9), min_size=n_outputs, max_size=n_outputs)
    return numbers.map(lambda value: Leaf(np.array(value, np.int64)))


def trees(n_outputs, depth=12):
    """Trees of any shape: thresholds repeat and contradict each other on a path."""
    return st.recursive(
        values(n_outputs),
        lambda sides: st.builds(
            Split,
            st.integers(0, N_FEATURES - 1),
            st.integers(0, N_EDGES - 1),
            sides,
            sides,
        ),
        max_leaves=20,
    )


@st.composite
def ensembles(draw):
    n_outputs = draw(st.sampled_from([1, 1, 2, 3, 10]))
    return draw(st.lists(trees(n_outputs), min_size=1, max_size=4))


def encode(bins, bits):
    """Return the bits of rows that are given by their bins."""
    columns = [
        bins[:, [feature]] <= np.arange(size)
        for feature, size in zip(bits.features, bits.sizes, strict=True)
    ]
    return np.concatenate(columns, axis=1).astype(np.int64)


BITS = Bits(tuple(range(N_FEATURES)), (N_EDGES,) * N_FEATURES)


@settings(max_examples=400, deadline=None)
@given(
    ensembles(),
    st.integers(2, 6),
    st.integers(1, 4),
    st.integers(0, 2**32 - 1),
)
def test_graph_is_sum_of_trees(forest, table_bits, partial_sums, seed):
    random = np.random.default_rng(seed)
    bins = random.integers(0, N_EDGES + 1, size=(60, N_FEATURES))
    expected = sum(evaluate_tree(tree, bins) for tree in forest)
    sums = TableSum.of([simplified(tree) for tree in forest], BITS, table_bits)
    graph, offset = sums.lowered(partial_sums)
    check(graph, INTEGER, supported(integer=True))
    # The program checks that every integer is in its declared range.
    (outputs,) = ClearProgram(graph, 1).run((encode(bins, BITS),))
    outputs = outputs.reshape(len(bins), len(offset), partial_sums).sum(axis=2)
    np.testing.assert_array_equal(outputs + offset, expected)
    for row in extremes(graph):
        ClearProgram(graph, 1).run(row)
