"""Sparse rows, of steps before an estimator, with all their zeros."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

__all__ = ["dense_rows"]


def dense_rows(X: Any, absent: float = 0.0) -> Any:
    """Return rows with all numbers of those that are sparse.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
    absent : float, default=0.0
        What a number is that a sparse matrix leaves out.

    Returns
    -------
    dense : ndarray of shape (n_samples, n_features)
        `X` as it is if it is not sparse.
    """
    if not sparse.issparse(X):
        return X
    if absent == 0:
        return X.toarray()
    held = sparse.coo_array(X)
    held.sum_duplicates()
    dense = np.full(held.shape, absent, np.result_type(held.dtype, np.float32))
    dense[held.coords] = held.data
    return dense
