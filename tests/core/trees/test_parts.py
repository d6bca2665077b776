"""Parts of many columns: all of these once, each with the tables that it reads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_array

from fhe_estimators.core.trees import parts


def total(spread, linear, tables, bits):
    """Return what parts of columns say that these are."""
    found = []
    for part in parts.parts_of(csc_array(spread), csc_array(linear)):
        some = tables[:, part.first : part.first + part.n_tables]
        if part.is_copy:
            found.append(some)
            continue
        rows = slice(part.first, part.first + part.n_tables)
        free = bits @ linear[:, part.columns]
        found.append(some @ spread[rows, part.columns] + free)
    return np.concatenate(found, axis=1)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 100),
    st.sampled_from([0.0, 0.05, 0.3]),
    st.sampled_from([0, 30, 10**6]),
    st.integers(0, 2**32 - 1),
)
def test_columns_are_those_of_one_product(n_tables, n_columns, density, few, seed):
    random = np.random.default_rng(seed)
    spread = random.integers(-2, 3, (n_tables, n_columns))
    spread *= random.random(spread.shape) < density
    # Columns that are tables, in a row, and others between them.
    copied = random.random(min(n_tables, n_columns)) < 0.9
    shift = random.integers(n_tables)
    for column in np.flatnonzero(copied).tolist():
        spread[:, column] = 0
        spread[(column + shift) % n_tables, column] = 1
    linear = random.integers(-2, 3, (5, n_columns)) * (random.random(n_columns) < 0.1)
    tables, bits = random.integers(-9, 10, (8, n_tables)), random.integers(0, 2, (8, 5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_MANY_WEIGHTS", 0)
        patch.setattr(parts, "_FEW_WEIGHTS", few)
        patch.setattr(parts, "BLOCK", int(random.integers(1, 5)))
        found = total(spread, linear, tables, bits)
    np.testing.assert_array_equal(found, tables @ spread + bits @ linear)


def test_columns_that_are_tables_take_no_product():
    n_columns = 10 * parts.BLOCK
    spread, linear = np.eye(n_columns, dtype=np.int64), np.zeros((1, n_columns), np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_MANY_WEIGHTS", 0)
        (whole,) = parts.parts_of(csc_array(spread), csc_array(linear))
        linear[0, 4 * parts.BLOCK] = 1
        before, own, after = parts.parts_of(csc_array(spread), csc_array(linear))
    assert whole == (slice(0, n_columns), 0, n_columns, True)
    assert before.is_copy
    assert not own.is_copy
    assert own.columns == slice(4 * parts.BLOCK, 4 * parts.BLOCK + 1)
    assert after.is_copy
    assert after.first == 4 * parts.BLOCK + 1
