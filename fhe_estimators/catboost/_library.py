"""What scikit-learn expects of an estimator, and CatBoost's classes do not do."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import catboost
import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

from fhe_estimators._fit import refuse
from fhe_estimators._tree_based import TREE_CONSTRAINTS
from fhe_estimators.base import parent_of

if TYPE_CHECKING:
    from fhe_estimators.core.integers import BitWidths

__all__ = ["LibraryModel", "RefusedError", "loss_name"]

#: Other names that the library has for parameters that we name.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "iterations": ("n_estimators", "num_boost_round", "num_trees"),
    "depth": ("max_depth",),
    "loss_function": ("objective",),
    "border_count": ("max_bin",),
}
#: Parameters that say what is printed.
_VERBOSITY = ("verbose", "logging_level", "silent", "metric_period")
#: How the library chooses the edges of bins; the first one is its default.
_BORDERS = {"quantile": "GreedyLogSum", "uniform": "Uniform"}
#: Columns that are no numbers.
_COLUMNS = ("text_features", "embedding_features")
#: Losses whose targets are probabilities instead of labels.
_SOFT = ("CrossEntropy", "MultiCrossEntropy")
_FIT = inspect.signature(catboost.CatBoostClassifier.fit)


class RefusedError(catboost.CatBoostError, ValueError):
    """What CatBoost refuses, as the error that scikit-learn expects."""


def loss_name(loss: Any) -> str:
    """Return the name of a loss without its options; of an object, that of its class."""
    return loss.partition(":")[0] if isinstance(loss, str) else type(loss).__name__


class LibraryModel(catboost.CatBoost):
    """Parameters, pickles and checks; stands left of the library's class.

    Parameters are kept in the library's dict: all that the constructor names, and what else
    was given. The library's own class keeps what is not None, copies it for whoever asks,
    which scikit-learn's `clone` takes for a mistake, and refuses to be given parameters
    once it is fitted.
    """

    #: The parent's parameters that constructors name; others are passed on as keywords.
    _named: ClassVar[tuple[str, ...]]

    _init_params: dict[str, Any]
    binning: str
    _bit_widths: Callable[[], BitWidths]

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._init_params = params

    # Parameters ----------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters.

        Parameters
        ----------
        deep : bool, default=True
            Has no effect: none is an estimator.

        Returns
        -------
        params : dict
            By name: those that the constructor names, and what else was given.
        """
        ours = {name: getattr(self, name) for name in TREE_CONSTRAINTS}
        return {**self._init_params, **ours}

    def set_params(self, **params: Any) -> Any:
        """Set parameters, of a fitted model too: they count when it is fitted again.

        Parameters
        ----------
        **params : dict
            Values by name.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the library has no parameter of that name.
        """
        known = inspect.signature(parent_of(type(self))).parameters
        for name, value in params.items():
            if name in TREE_CONSTRAINTS:
                setattr(self, name, value)
            elif name in known:
                self._init_params[name] = value
            else:
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {self!r}. Valid parameters "
                    f"are: {sorted({*known, *TREE_CONSTRAINTS})}."
                )
        return self

    def _given(self) -> dict[str, Any]:
        """Return the library's parameters that are not None, one name for each.

        A default of ours does not count if the parameter is given by another name.
        """
        signature = inspect.signature(type(self)).parameters
        given = {
            name: value for name, value in self._init_params.items() if value is not None
        }
        for name, aliases in ALIASES.items():
            default = name in given and given[name] == signature[name].default
            if default and not given.keys().isdisjoint(aliases):
                del given[name]
        return given

    def _value_of(self, name: str) -> Any:
        """Return the value of a parameter under whatever name, None if there is none."""
        given = self._given()
        names = (name, *ALIASES.get(name, ()))
        return next((given[known] for known in names if known in given), None)

    def _get_canonized_params(self) -> dict[str, Any]:
        try:
            plain = parent_of(type(self))(**self._given())
            params: dict[str, Any] = plain._get_canonized_params()
        except catboost.CatBoostError as error:
            raise RefusedError(str(error)) from error
        return params

    # Fitting -------------------------------------------------------------------------

    @functools.wraps(catboost.CatBoostClassifier.fit)
    def fit(self, *args: Any, **kwargs: Any) -> Any:
        given = dict(_FIT.bind(self, *args, **kwargs).arguments)
        del given["self"]
        self._check_columns(given)
        X, y = given["X"], self._target(given.get("y"))
        check_consistent_length(X, y)
        given["y"] = y
        if given.get("sample_weight") is not None:
            given["sample_weight"] = _check_sample_weight(given["sample_weight"], X)
        try:
            return super().fit(**given)
        except catboost.CatBoostError as error:
            raise RefusedError(str(error)) from error

    def _train(
        self, train_pool: Any, test_pool: Any, params: dict[str, Any], *others: Any
    ) -> None:
        """Fit with defaults that are not the library's: our bins, and silence."""
        params = {"border_count": 2 ** self._bit_widths().op_inputs - 1, **params}
        params.setdefault("feature_border_type", _BORDERS[self.binning])
        # Statistics of several columns together are no function of one of them.
        params.setdefault("max_ctr_complexity", 1)
        if params.keys().isdisjoint(_VERBOSITY):
            params["logging_level"] = "Silent"
        super()._train(train_pool, test_pool, params, *others)

    def _check_columns(self, given: Mapping[str, Any]) -> None:
        """Raise if `fit` or the constructor are given columns of texts or vectors."""
        for name in _COLUMNS:
            for source in (given, self._init_params):
                columns = source.get(name)
                if columns is None or not np.size(columns):
                    continue
                refuse(name, columns, [None])

    def _target(self, y: Any) -> Any:
        """Return a target that was checked as scikit-learn does."""
        name = type(self).__name__
        if y is None:
            raise ValueError(f"{name} requires y to be passed, but the target y is None.")
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y", estimator=self)
        if not self.__sklearn_tags__().target_tags.multi_output:
            y = column_or_1d(y, warn=True)
        if not is_classifier(self):
            return y.astype(np.float64)
        soft = loss_name(self._value_of("loss_function")) in _SOFT
        if not soft and self._value_of("target_border") is None:
            check_classification_targets(y)
            if y.ndim == 1 and len(np.unique(y)) < 2:
                raise ValueError(
                    f"{name} needs rows of at least two classes; y has only one class."
                )
        return y

    # Copies --------------------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether there is a model."""
        fitted: bool = self.is_fitted()
        return fitted

    @property
    def n_features_in_(self) -> int:
        """Number of features; there is none before `fit`."""
        if not self.is_fitted():
            raise AttributeError(f"this {type(self).__name__} is not fitted yet.")
        # Models that were loaded know the names only.
        return self._n_features_in or len(self.feature_names_)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(vars(self))
        del state["_object"]
        return {**state, "_model": self._serialize_model() if self.is_fitted() else None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        model = state.pop("_model")
        # It makes the object that holds the model.
        super().__setstate__({} if model is None else {"__model": model})
        self.__dict__.update(state)

    def __copy__(self) -> Any:
        return self._with(self.__getstate__())

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self._with(copy.deepcopy(self.__getstate__(), memo))

    def _with(self, state: dict[str, Any]) -> Any:
        copied = type(self).__new__(type(self))
        copied.__setstate__(state)
        return copied

    def __repr__(self) -> str:
        text: str = BaseEstimator.__repr__(self)
        return text
