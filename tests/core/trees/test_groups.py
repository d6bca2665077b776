"""Vectors of tables as few tables and weights."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fhe_estimators.core.trees.groups import factored


@settings(max_examples=300)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_factors(n_states, n_outputs, n_generators, seed):
    random = np.random.default_rng(seed)
    values = random.integers(-3, 4, size=(n_states, n_generators)) @ random.integers(
        -3, 4, size=(n_generators, n_outputs)
    )
    tables, weights = factored(values)
    np.testing.assert_array_equal(tables @ weights, values)
    different = {tuple(row) for row in values if row.any()}
    assert np.linalg.matrix_rank(values) <= len(weights) <= max(1, len(different))
