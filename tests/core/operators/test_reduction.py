"""Reductions of integers: sums need no table."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.core.graph import Node
from tests.core.operators.tools import (
    bits,
    check_ranges,
    compared,
    count_tables,
    examples,
    float_graph,
    images,
    seeds,
    whole,
)

REDUCTIONS = ["Mean", "Sum", "Max", "Min"]


@pytest.mark.parametrize("kind", REDUCTIONS)
@given(
    n_bits=bits,
    seed=seeds,
    axes=st.sets(st.sampled_from([1, -2, 3]), min_size=1),
    keepdims=st.integers(0, 1),
)
@examples
def test_reduction(kind, n_bits, seed, axes, keepdims):
    node = Node(f"Reduce{kind}", ("x", "axes"), ("y",), {"keepdims": keepdims})
    graph = float_graph([node], {"axes": np.array(sorted(axes))}, (3, 2, 5))
    module = whole(graph, images(seed, 3, 2, 5), n_bits)
    result, expected = compared(module, graph, images(seed + 1, 3, 2, 5))
    np.testing.assert_allclose(result, expected, atol=1e-9)
    if kind in ("Mean", "Sum"):
        assert count_tables(module) == 0
    check_ranges(module, seed)
