"""What scikit-learn expects of an estimator, and interpret's classes do not do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import (
    _safe_indexing,
    check_array,
    check_consistent_length,
    column_or_1d,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, _get_feature_names

from fhe_estimators._columns import columns_with_missing
from fhe_estimators._fit import refuse
from fhe_estimators._tables import categorical_columns, n_columns
from fhe_estimators._tree_based import TREE_CONSTRAINTS
from fhe_estimators.base import parent_of
from fhe_estimators.core.trees import FINE_BITS

if TYPE_CHECKING:
    from fhe_estimators.core.integers import BitWidths

__all__ = ["PAIR_BINS", "AdditiveModel", "check_names", "coded_columns"]

#: Bins of a feature of which pairs make the 16 states of a table of four bits.
PAIR_BINS = 4
#: What the library adds to bins: one of missing values and one of unknown ones.
_EXTRA_BINS = 2
#: Values of `feature_types` that mean categories, and numbers.
_CATEGORIES = ("nominal", "ordinal", "nominal_prevalence", "nominal_alphabetical")
_NUMBERS = ("continuous", "quantile", "rounded_quantile", "uniform", "winsorized")


class AdditiveModel:
    """Defaults and checks; stands left of the library's class."""

    n_bits: Any
    binning: str
    max_bins: int | None
    max_interaction_bins: int | None
    feature_types: Sequence[Any] | None
    feature_names: Sequence[Any] | None
    feature_names_in_: Any
    get_params: Callable[..., dict[str, Any]]
    _bit_widths: Callable[[], BitWidths]
    _chooses_edges: Callable[[], bool]

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        bags: Any = None,
        init_score: Any = None,
    ) -> Any:
        """Fit, in clear.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Numbers, nan where they are missing, or categories.
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), optional
        bags : array-like of shape (n_samples, outer_bags), optional
            How often each row is trained on in each bag, or minus how often it is
            validated on.
        init_score : array-like of shape (n_samples,) or (n_samples, n_classes), optional
            Scores to start from; they are no part of the model.

        Returns
        -------
        self : object
        """
        y = self._target(y)
        check_consistent_length(X, y)
        rows = [X, y, sample_weight, bags, init_score]
        if sample_weight is not None:
            rows[2] = sample_weight = _check_sample_weight(sample_weight, X)
            if not sample_weight.all():
                # The library refuses what counts nothing.
                counts = sample_weight > 0
                rows = [
                    found if found is None else _safe_indexing(found, counts)
                    for found in rows
                ]
                self._check_classes(rows[1])
        plain = parent_of(type(self))(**self._parameters(X))  # type: ignore[arg-type]
        plain.fit(*rows)
        found = {name: value for name, value in vars(plain).items() if name.endswith("_")}
        found["feature_names_in_"] = np.array(plain.feature_names_in_, dtype=object)
        found["feature_bounds_"] = bounds = _outer(plain.feature_bounds_)
        for edges, ends in zip(plain.histogram_edges_, bounds, strict=True):
            if edges is not None and len(edges) > 1:
                edges[[0, -1]] = ends
        vars(self).update(found)
        return self

    def _parameters(self, X: Any) -> dict[str, Any]:
        """Return the library's parameters, with our bins for those that are None."""
        params = self.get_params(deep=False)
        params = {name: params[name] for name in params.keys() - TREE_CONSTRAINTS.keys()}
        n_bins = 1 << self._bit_widths().op_inputs
        if self.max_bins is None:
            fine = 1 << FINE_BITS if self._has_fine_bins else n_bins
            params["max_bins"] = fine + _EXTRA_BINS
        if self.max_interaction_bins is None:
            # A bin of missing values makes states, too.
            most = min(n_bins, PAIR_BINS - bool(columns_with_missing(X)))
            params["max_interaction_bins"] = most + _EXTRA_BINS
        if self.binning == "uniform":
            coded = coded_columns(X, self.feature_types)
            types = self.feature_types or [None] * len(coded)
            params["feature_types"] = [
                "uniform" if kind in (None, "auto") and not is_coded else kind
                for kind, is_coded in zip(types, coded, strict=True)
            ]
        return params

    @property
    def _has_fine_bins(self) -> bool:
        """Whether terms of one feature are fitted on more bins than they keep."""
        return self._chooses_edges() and self.max_bins is None

    def _target(self, y: Any) -> Any:
        """Return a target that was checked as scikit-learn does."""
        if y is None:
            name = type(self).__name__
            raise ValueError(f"{name} requires y to be passed, but the target y is None.")
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y", estimator=self)
        y = column_or_1d(y, warn=True)
        if not is_classifier(self):
            return y.astype(np.float64)
        check_classification_targets(y)
        self._check_classes(y)
        return y

    def _check_classes(self, y: np.ndarray) -> None:
        if is_classifier(self) and len(np.unique(y)) < 2:
            raise ValueError(
                f"{type(self).__name__} needs rows of at least two classes; y has only one "
                "class."
            )

    @property
    def _has_names(self) -> bool:
        """Whether the names of features are those of columns, and not made up."""
        names = list(self.feature_names_in_)
        made_up = [f"feature_{number:04}" for number in range(len(names))]
        return self.feature_names is None and names != made_up


def coded_columns(X: Any, feature_types: Sequence[Any] | None) -> np.ndarray:
    """Return which columns the library takes for categories.

    Parameters
    ----------
    X : array-like or data frame of shape (n_samples, n_columns)
    feature_types : sequence or None
        What the user says; columns of which nothing is said hold categories if they are of
        a category type, or of texts some of which are no numbers.

    Returns
    -------
    coded : ndarray of bool of shape (n_columns,)

    Raises
    ------
    ValueError
        If the types are those of more columns, or fewer, or say that one is to be ignored.
    """
    count = n_columns(X)
    types = [None] * count if feature_types is None else list(feature_types)
    if any(isinstance(kind, str) and kind == "ignore" for kind in types):
        refuse("feature_types", "ignore", ["auto", *_NUMBERS, *_CATEGORIES])
    if len(types) != count:
        raise ValueError(
            f"The parameter 'feature_types' has {len(types)} types, but X has {count} "
            "columns: give one for each."
        )
    known = categorical_columns(X)
    return np.array(
        [
            _is_coded(kind, number in known, values)
            for number, (kind, values) in enumerate(zip(types, _columns(X), strict=True))
        ],
        bool,
    )


def _columns(X: Any) -> Iterator[np.ndarray]:
    if hasattr(X, "iloc"):
        return (np.asarray(X.iloc[:, number]) for number in range(X.shape[1]))
    array = np.asarray(X)
    return iter(array.T if array.ndim == 2 else ())


def _is_coded(kind: Any, is_category: bool, values: np.ndarray) -> bool:
    if isinstance(kind, str) and kind != "auto":
        return kind in _CATEGORIES
    if isinstance(kind, list | tuple):
        return bool(kind) and isinstance(kind[0], str)
    if is_category or values.dtype.kind not in "OSU":
        return is_category
    try:
        [float(value) for value in values.tolist() if value is not None]
    except (TypeError, ValueError):
        return any(isinstance(value, str) for value in values.tolist())
    return False


def _outer(bounds: np.ndarray) -> np.ndarray:
    """Return bounds of shape (n_features, 2) rounded outwards: they are training values."""
    spans = np.ptp(bounds, axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        steps = 10.0 ** (np.floor(np.log10(spans)) - 2)
        low, high = bounds[:, :1], bounds[:, 1:]
        outer = np.hstack([steps * np.floor(low / steps), steps * np.ceil(high / steps)])
    rounded: np.ndarray = np.where(np.isfinite(outer), outer, bounds)
    return rounded


def check_names(X: Any, feature_names: Sequence[Any] | None) -> None:
    """Raise if features are to be columns by other names.

    Raises
    ------
    ValueError
        With the names of the columns.
    """
    columns = _get_feature_names(X)
    if feature_names is None or columns is None:
        return
    if [str(name) for name in feature_names] != columns.tolist():
        refuse("feature_names", list(feature_names), [None, columns.tolist()])
