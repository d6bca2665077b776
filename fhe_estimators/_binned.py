"""Features in bins: what trees are fitted on, with missing values and categories."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_array, get_tags
from sklearn.utils.validation import _check_sample_weight

from fhe_estimators._columns import categories_refused, explain_columns, in_container_of
from fhe_estimators._tables import (
    Categories,
    Table,
    TableRows,
    categorical_columns,
    check_is_table,
    with_nan,
    with_numbers,
)
from fhe_estimators.core.trees import (
    FINE_BITS,
    LEAST_SAVED,
    BinEdges,
    Splits,
    chosen_places,
    filled_places,
)

__all__ = ["BinnedMixin"]


class BinnedMixin:
    """Puts rows on bins before the parent sees them; stands left of `FHEMixin`.

    A feature has bins of numbers, or of categories: one for each. Where values are missing
    they have a bin of their own.
    """

    _has_bins = True
    #: Whether the parent tells categories from numbers.
    _compares_categories: ClassVar[bool] = False
    _feature_dtype: ClassVar[type]
    #: What an edge has to save to be worth it, see `chosen_places`.
    _least_saved: ClassVar[float] = LEAST_SAVED

    binning: str
    input_encoding: str
    n_features_in_: int
    _bin_edges: BinEdges | None
    #: Where thresholds are the bins: the features that may be missing.
    _own_missing: frozenset[int] = frozenset()
    #: How columns become features; None if they are all numbers.
    _table: Table | None = None
    #: The columns that hold categories, while the parent is fitted.
    _coded: np.ndarray | None = None
    #: Whether bins are finer than `n_bits`, while the parent is fitted.
    _fine: bool = False
    #: The edges that clients get, if the parent is fitted on some of them.
    _sent_edges: BinEdges | None = None
    #: What stands for the values in each bin, while the parent is fitted: training values.
    _representatives: list[np.ndarray]
    _bit_widths: Any

    @property
    def _takes_missing(self) -> bool:
        """Whether the parent takes missing values."""
        return bool(get_tags(self).input_tags.allow_nan)

    @property
    def _with_missing(self) -> frozenset[int]:
        """The features that have a bin for missing values."""
        edges = getattr(self, "_bin_edges", None)
        return self._own_missing if edges is None else edges.with_missing

    # Fitting -------------------------------------------------------------------------

    def _prepared_for_fit(self, X: Any, sample_weight: Any) -> Any:
        """Return `X` with each number replaced by the representative of its bin.

        Categories stay what they are: each has a bin of its own.
        """
        self._coded = self._coded_columns(X)
        array, sample_weight = self._numbers_and_weights(X, sample_weight)
        goes_on = getattr(self, "warm_start", False)
        bin_edges = getattr(self, "_bin_edges", None) if goes_on else None
        if bin_edges is not None and self._table is not None:
            bin_edges = self._edges_of_columns(bin_edges, self._table)
        self._fine, self._sent_edges = False, None
        if bin_edges is None or bin_edges.n_features != array.shape[1]:
            # Trees that are added later may divide other bins.
            bin_edges, self._fine = self._first_edges(
                array, sample_weight, may_be_fine=not goes_on
            )
        self._bin_edges = bin_edges
        self._check_bins(X, array)
        return self._on_bins(X, array, sample_weight)

    def _edges_of_columns(self, bin_edges: BinEdges, table: Table) -> BinEdges | None:
        """Return edges of columns, of those of features; None if others hold categories."""
        coded = set() if self._coded is None else set(np.flatnonzero(self._coded).tolist())
        if coded != table.categories.keys():
            return None
        columns = table.in_order(range(bin_edges.n_features))
        edges = dict(zip(columns, bin_edges.edges, strict=True))
        # Those of categories follow from the fit.
        return BinEdges([edges[at][: 0 if at in coded else None] for at in sorted(edges)])

    def _numbers_and_weights(self, X: Any, sample_weight: Any) -> tuple[np.ndarray, Any]:
        """Return the numbers of rows, and their weights, None if there are none.

        Raises
        ------
        ValueError
            If no row has a positive weight.
        """
        array = self._numbers(X)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, array)
            if not (sample_weight > 0).any():
                raise ValueError(
                    "No weight of sample_weight is positive, the largest is "
                    f"{sample_weight.max():g}: bins are those of rows with positive "
                    "weights. Pass weights above zero."
                )
        return array, sample_weight

    def _chooses_edges(self) -> bool:
        """Whether the edges of bins are some of those of finer bins."""
        return self.binning == "splits" and self._bit_widths().op_inputs < FINE_BITS

    def _first_edges(
        self, rows: np.ndarray, sample_weight: Any = None, *, may_be_fine: bool = True
    ) -> tuple[BinEdges, bool]:
        """Return edges of bins, and whether they are fine: for splits to choose from."""
        n_bits, binning = self._bit_widths().op_inputs, self.binning
        is_fine = self._chooses_edges() and may_be_fine
        if is_fine:
            n_bits = FINE_BITS
        if binning == "splits":
            binning = "adaptive"
        return BinEdges.of(rows, n_bits, binning, sample_weight), is_fine

    def _on_bins(self, X: Any, array: np.ndarray, sample_weight: Any) -> Any:
        """Return `X`, whose numbers are an array, on bins; sets their representatives."""
        assert self._bin_edges is not None
        self._representatives = self._bin_edges.representatives(
            _that_count(array, sample_weight), self._missing_number
        )
        return self._with_numbers_of_bins(X, array)

    def _prepared_again(self, X: Any, sample_weight: Any) -> Any:
        """Return `X` on the bins whose edges the splits of the first fit are worth.

        None if the bins were not fine, or if every split is at such an edge.
        """
        if not self._fine:
            return None
        fine, self._fine = self._bin_edges, False
        assert fine is not None
        rows, sample_weight = self._numbers_and_weights(X, sample_weight)
        self._table = self._fitted_table()
        splits = Splits.of(
            self._thresholds_of_columns(
                (self._table or Table({})).in_order(range(fine.n_features))
            ),
            fine.n_finite,
            # Edge 0 is above the first representative.
            lambda column, thresholds: (
                np.searchsorted(self._representatives[column], thresholds, side="right") - 1
            ),
        )
        counted = _that_count(rows, sample_weight)
        self._bin_edges = fine = fine.replaced(splits.thresholds, counted)
        places, self._sent_edges = self._worth(fine, splits)
        if all(
            np.isin(np.flatnonzero(of), chosen).all()
            for of, chosen in zip(splits.weights, places, strict=True)
        ):
            return None
        self._bin_edges = fine.at(places)
        return self._on_bins(X, rows, sample_weight)

    def _worth(self, fine: BinEdges, splits: Splits) -> tuple[list[np.ndarray], BinEdges]:
        """Return the places of edges that splits are worth, and the edges that are sent.

        Of a feature with few values all edges are worth it, of one that no split asks about
        none is. The others share as many as other ways to place edges take; those left over
        are sent, too, for clients to know less of splits.
        """
        weights, n_most = splits.weights, (1 << self._bit_widths().op_inputs) - 1
        of_many = [of if len(of) > n_most else of[:0] for of in weights]
        n_total = n_most * sum(len(of) > 0 for of in of_many)
        # An integer a feature would need more bits.
        n_of_one = n_total if self.input_encoding == "thermometer" else n_most
        chosen = chosen_places(of_many, n_total, n_of_one, splits.number, self._least_saved)
        sizes = [len(of) for of in chosen if len(of)]
        level = n_most
        while sum(max(size, level) for size in sizes) > n_total:
            level -= 1
        places, sent = [], []
        for of, some in zip(weights, chosen, strict=True):
            if len(of) <= n_most:
                some = filled = np.arange(len(of))
            else:
                filled = filled_places(some, len(of), level) if len(some) else some
            places.append(some)
            sent.append(filled)
        return places, fine.at(sent)

    def _thresholds_of_columns(
        self, columns: Sequence[int]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return what the splits of the fitted model compare each column with (hook).

        Takes the column of each feature. Returns the thresholds for each column, all
        finite, and how much each matters, which is positive.
        """
        raise NotImplementedError

    def _coded_columns(self, X: Any) -> np.ndarray | None:
        """Return which columns hold categories, None if none does (hook)."""
        return None

    def _note_columns(self, X: Any) -> None:
        """Take note of columns of rows like those of `fit` (hook)."""

    def _fitted_table(self) -> Table | None:
        """Return how columns of the fitted model become features (hook)."""
        return None

    def _numbers(self, X: Any) -> np.ndarray:
        """Return rows to fit or to evaluate as numbers; columns of categories as zeros."""
        finite: Any = "allow-nan" if self._takes_missing else True
        given, coded = X, self._coded
        if coded is not None:
            check_is_table(X, type(self).__name__)
            given = X.iloc[:, ~coded] if hasattr(X, "iloc") else np.asarray(X)[:, ~coded]
        if coded is not None and coded.all():
            return np.zeros(np.shape(X), self._feature_dtype)
        array: np.ndarray = check_array(
            given, dtype=self._feature_dtype, ensure_all_finite=finite, estimator=self
        )
        array = with_nan(array, self._missing_number)
        if coded is not None:
            numbers = np.zeros((len(array), len(coded)), array.dtype)
            numbers[:, ~coded] = array
            array = numbers
        return array

    def _rows_for_library(self, X: Any) -> Any:
        """Return rows to fit for a library that makes bins itself, and takes labels.

        They are numbers in the container of `X`, or `X` as it is if columns are categories.

        Raises
        ------
        ValueError
            For fewer than two rows, and as `_numbers` does.
        """
        array, coded = self._numbers(X), self._coded
        self._coded = None
        if len(array) < 2:
            raise ValueError(
                f"Found array with {len(array)} sample(s) while a minimum of 2 is required "
                f"by {type(self).__name__}."
            )
        return in_container_of(X, array) if coded is None else X

    @property
    def _missing_number(self) -> float | None:
        """A number that stands for a missing value, as nan does; None if there is none."""
        return None

    def _check_bins(self, X: Any, array: np.ndarray) -> None:
        """Raise if values of rows to fit, or to evaluate, are missing that have no bin."""
        rows = TableRows(None, self._with_missing, self._missing_number)
        rows.refuse_missing(self, X, array)

    def _with_numbers_of_bins(self, X: Any, array: np.ndarray) -> Any:
        snapped = self._snapped(array)
        if self._coded is None:
            # Views of frames are read-only, which scikit-learn's trees do not take with
            # missing values: converting to the other precision copies.
            if self._with_missing:
                snapped = snapped.astype(np.float64)
            return in_container_of(X, snapped)
        return with_numbers(X, snapped, self._coded)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())  # type: ignore[call-overload]
        # A fit that failed may have left them.
        state.pop("_representatives", None)
        for name in ("_coded", "_fine", "_sent_edges"):
            state.pop(name, None)
        return state

    def _snapped(self, array: np.ndarray) -> np.ndarray:
        assert self._bin_edges is not None
        return self._bin_edges.snapped(array, self._representatives)

    def _snapped_like(self, X: Any) -> Any:
        """Return validation rows with values of bins, as `_prepared_for_fit` does."""
        known = () if self._coded is None else np.flatnonzero(self._coded).tolist()
        self._refuse_categories(X, known)
        with explain_columns(self, X):
            array = self._numbers(X)
        self._check_bins(X, array)
        return self._with_numbers_of_bins(X, array)

    def _validated(self, X: Any) -> np.ndarray:
        """Return rows as features of trees: numbers, nan where a value is missing."""
        self._refuse_categories(X, () if self._table is None else self._table.categories)
        rows, validated = self._table_rows(), super()._validated  # type: ignore[misc]
        return validated(X) if rows is None else rows.features(self, X, validated)

    def _refuse_categories(self, X: Any, known: Collection[int]) -> None:
        """Raise if columns of a data frame hold categories that the model does not know."""
        if not self._compares_categories:
            return
        found = [column for column in categorical_columns(X) if column not in known]
        if found:
            raise categories_refused(self, [X.columns[column] for column in found])

    def _table_rows(self) -> TableRows | None:
        missing = tuple(sorted(self._with_missing))
        if self._table is None and not missing and self._missing_number is None:
            return None
        return TableRows(self._table, missing, self._missing_number)

    @property
    def _all_finite(self) -> bool | str:
        lacks = self._with_missing or self._missing_number is not None
        return "allow-nan" if lacks else True

    def _labelled(self) -> dict[int, Categories]:
        """Return the categories of each feature that has some."""
        if self._table is None:
            return {}
        categories = self._table.categories
        columns = self._table.in_order(range(self.n_features_in_))
        return {
            feature: categories[column]
            for feature, column in enumerate(columns)
            if column in categories
        }

    def _known_missing(self) -> Collection[int]:
        """Return features that the fitted model knows to be missing at times (hook)."""
        return ()


def _that_count(rows: np.ndarray, sample_weight: np.ndarray | None) -> np.ndarray:
    """Return the rows whose weight is positive."""
    return rows if sample_weight is None else rows[sample_weight > 0]
