"""Sparse rows with all their numbers."""

import numpy as np
import pytest
from scipy import sparse

from fhe_estimators._sparse import dense_rows

ROWS = np.array([[0, 3, 0], [5, 0, 7]])


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_what_is_left_out_is_filled_in(kind, dtype):
    held = kind(ROWS.astype(dtype))
    np.testing.assert_array_equal(dense_rows(held), ROWS)
    found = dense_rows(held, np.nan)
    np.testing.assert_array_equal(found, np.where(ROWS == 0, np.nan, ROWS))


def test_zeros_that_are_held_are_zeros_and_numbers_of_a_place_add_up():
    held = sparse.coo_array(([0.0, 1.0, 2.0], ([0, 1, 1], [0, 0, 0])), shape=(2, 2))
    np.testing.assert_array_equal(dense_rows(held, np.nan), [[0, np.nan], [3, np.nan]])
    assert held.nnz == 3


def test_dense_rows_stay():
    assert dense_rows(ROWS, np.nan) is ROWS
