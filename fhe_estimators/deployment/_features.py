"""The rows that a client is given: checked as the model's own methods check them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from fhe_estimators._columns import explain_columns, with_underscores
from fhe_estimators._fit import refuse_sparse
from fhe_estimators._tables import TableRows


class Features(BaseEstimator):  # type: ignore[misc] # it is untyped
    """What a fitted estimator knows of its features.

    Parameters
    ----------
    count : int
    names : sequence of str or None
        If the estimator was fitted on rows whose columns have names.
    dtype : str
        What it takes numbers as.
    spaces : bool
        Whether names keep their spaces, or have underscores for them.
    rows : TableRows, optional
        How tables with categories, or with missing values, become features.
    """

    def __init__(
        self,
        count: int,
        names: Sequence[str] | None,
        dtype: str,
        spaces: bool,
        rows: TableRows | None = None,
    ) -> None:
        self.count, self.names, self.dtype, self.spaces = count, names, dtype, spaces
        self.rows = rows
        self.n_features_in_ = count
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)

    def checked(self, X: Any) -> np.ndarray:
        """Return rows as an array.

        Raises
        ------
        TypeError, ValueError
            As the estimator does: for other columns, in another order, for labels that are
            not known, for numbers that are missing or not finite.
        """
        refuse_sparse(X)
        X = X if self.spaces else with_underscores(X)
        with explain_columns(self, X):
            if self.rows is None:
                return self._as_array(X)
            return self.rows.features(self, X, self._as_array)

    def _as_array(self, X: Any) -> np.ndarray:
        rows = self.rows
        lacks = rows is not None and (rows.missing or rows.number is not None)
        finite: Any = "allow-nan" if lacks else True
        with np.errstate(over="ignore", invalid="ignore"):
            array: np.ndarray = validate_data(
                self, X, reset=False, dtype=self.dtype, ensure_all_finite=finite
            )
        return array
