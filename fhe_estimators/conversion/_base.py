"""What estimators share whose scores come from the circuit of another one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.tree._tree import Tree
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from fhe_estimators._readings import Reading, read
from fhe_estimators._state import arrays_of
from fhe_estimators.base import FHE_CONSTRAINTS, FHEMixin, Tags
from fhe_estimators.core.circuit import check_affordable
from fhe_estimators.core.engine import ConcreteEngine
from fhe_estimators.core.graph import as_tuple
from fhe_estimators.core.lowering import (
    MARGINS,
    Calibration,
    Options,
    to_quantized_module,
)
from fhe_estimators.core.quantized_module import ROUNDINGS, RoundingOptions
from fhe_estimators.core.trees import TreeOptions
from fhe_estimators.exceptions import UnsupportedEstimatorError, UnsupportedOperatorError
from fhe_estimators.quantization import QuantizedModule

if TYPE_CHECKING:
    from onnx import ModelProto

#: By how much what is exported may differ from the model, of the size of its results, and
#: which part of labels: single precision, and rows that are on the border.
_CLOSE, _LABELS = 1e-4, 0.01
_FAITHFUL = 2.0**-12
#: Rows that both are compared on.
_N_COMPARED = 500


class ConvertedMixin(FHEMixin):
    """Scores come from the integer graph of what the estimator computes."""

    _fhe_constraints: ClassVar[dict[str, list[Any]]] = {
        **FHE_CONSTRAINTS,
        "rounding": [StrOptions(set(ROUNDINGS)), None],
        "accumulator_range": [StrOptions(set(MARGINS))],
    }
    _mirrors: ClassVar[Any]
    #: Methods that scores may be of, the first that there is.
    _METHODS: ClassVar[tuple[str, ...]] = ("predict",)

    estimator: Any
    estimator_: Any
    n_features_in_: int
    rounding: Any
    rounding_bits: Any
    accumulator_range: str
    _method: str
    _is_forest: bool
    _counts_votes: bool
    _n_columns: int
    _flat: bool
    #: What `from_sklearn_model` takes, in words, and a test for it.
    _TAKEN: ClassVar[str]
    _takes: ClassVar[Callable[[Any], bool]]

    @property
    def _feature_dtype(self) -> type:  # type: ignore[override]
        """Trees compare numbers in single precision."""
        return np.float32 if getattr(self, "_is_forest", False) else np.float64

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.fhe_tags.exact = self.rounding != "approximate"
        tags.fhe_tags.faithful_twin = False
        return tags

    def _check_fhe_parameters(self) -> None:
        super()._check_fhe_parameters()
        RoundingOptions(self.rounding, self.rounding_bits)

    def _lower(
        self, X: Any, sample_weight: Any = None, *, incremental: bool = False
    ) -> None:
        self._is_forest = False
        rows = self._validated(X)
        self.onnx_model_ = self._exported(rows)
        self.quantized_module_ = self._quantized(rows, sample_weight)
        self._remember()
        self._tell_cost()

    def _quantized(self, rows: np.ndarray, sample_weight: Any) -> QuantizedModule:
        """Return the integers of the exported model.

        Raises
        ------
        UnsupportedEstimatorError
            If an operator that would be encrypted has no encrypted form.
        """
        trees = TreeOptions(
            tolerance=_FAITHFUL,
            wide_tolerance=_FAITHFUL,
            saturation=8.0 if is_classifier(self) else None,
        )
        options = Options(
            self._bit_widths(),
            ranges="least_error",
            rounding=RoundingOptions(
                self.rounding, self.rounding_bits, labels=is_classifier(self)
            ),
            accumulator_range=self.accumulator_range,
            trees=trees,
            p_error=self.p_error,
        )
        calibration = Calibration([rows.astype(self._feature_dtype)], sample_weight)
        try:
            return to_quantized_module(self.onnx_model_, calibration, options)
        except UnsupportedOperatorError as error:
            name = type(self.estimator_).__name__
            raise UnsupportedEstimatorError(
                f"{name} has no encrypted form: {error}"
            ) from error

    def _tell_cost(self) -> None:
        """Tell what takes minutes a row before it is compiled; see `check_affordable`."""
        prices = ConcreteEngine().prices(self.p_error)
        layers = [layer for layer in self.quantized_module_.layers if layer.tables]
        n_tables = sum(layer.tables for layer in layers)
        operations = sum(
            layer.tables * prices.operations(layer.kept_bits) for layer in layers
        )
        name = type(self.estimator_).__name__
        check_affordable(
            prices.seconds(operations),
            f"This {name} takes {n_tables:,} table look-ups",
            "Fit one of fewer support vectors or neurons, or set a smaller n_bits.",
        )

    def _exported(self, X: np.ndarray) -> ModelProto:
        """Return the model as ONNX: it predicts rows as the fitted estimator does.

        Raises
        ------
        UnsupportedEstimatorError
            If it does not.
        """
        from fhe_estimators.conversion._export import export

        reasons = []
        for method in self._METHODS:
            if not hasattr(self.estimator_, method):
                continue
            try:
                found = export(self.estimator_, method, X[:_N_COMPARED])
            except UnsupportedEstimatorError as error:
                reasons.append(str(error))
                continue
            self._method, self._is_forest = method, found.is_forest
            self._counts_votes = found.counts_votes
            self._n_columns = found.outputs.shape[1]
            self._flat = np.ndim(self.estimator_.predict(X[:2])) == 1
            reason = self._difference(X[:_N_COMPARED], found.outputs)
            if reason is None:
                return found.model
            reasons.append(reason)
        raise UnsupportedEstimatorError(reasons[0])

    def _difference(self, X: np.ndarray, outputs: np.ndarray) -> str | None:
        """Return in words what outputs on rows would give another result for, or None."""
        for method, reading in self._readings_of(Reading()).items():
            expected = np.asarray(getattr(self.estimator_, method)(X))
            found = read([reading], [outputs], None, method)
            if found.shape != expected.shape:
                wrong = np.inf
            elif expected.dtype.kind == "f":
                size = max(1e-300, float(np.abs(expected).max()))
                wrong = float(np.abs(found - expected).max() / size)
                wrong = 0.0 if wrong <= _CLOSE else wrong
            else:
                wrong = float(np.mean(found != expected))
                wrong = 0.0 if wrong <= _LABELS else wrong
            if wrong:
                name = type(self.estimator_).__name__
                return (
                    f"{name} has no encrypted form: what is known to compute {method} of "
                    f"this class is not what this model gives; it differs by {wrong:.2g}."
                )
        return None

    def _readings_of(self, scores: Reading) -> dict[str, Reading]:
        """Return what methods make of `scores`, a reading without a form."""
        raise NotImplementedError

    def _readings(self) -> dict[str, list[Reading]]:
        return {m: [r] for m, r in self._readings_of(Reading(end=True)).items()}

    def _read(self, method: str, X: Any, fhe: str | None) -> Any:
        check_is_fitted(self)
        with self._mode(fhe):
            scores = as_tuple(self._scores(X, lambda rows: rows))
        end = self.quantized_module_.clear_module
        return read(self._readings()[method], scores, end, method)

    def predict(self, X, *, fhe: str | None = None) -> np.ndarray:
        """Predict.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            How raw scores are computed: with quantized integers in clear, with the
            cryptography simulated, or on encrypted rows. By default the mode of
            `config_context`, which is ``"disable"`` outside of one.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        return self._read("predict", X, fhe)

    def _state(self) -> list[Any]:
        return [self._method, *numbers_of(self.estimator_, set())]

    @classmethod
    def _holder(cls, model: Any) -> Any:
        if isinstance(model, cls._mirrors):
            check_is_fitted(model)
            twin: Any = cls.__new__(cls)
            vars(twin).update(vars(copy.deepcopy(model)))
            return twin
        if not (isinstance(model, BaseEstimator) and cls._takes(model)):
            raise TypeError(
                f"from_sklearn_model of {cls.__name__} takes a fitted {cls._TAKEN}; got "
                f"{type(model).__name__}."
            )
        check_is_fitted(model)
        twin = cls(clone(model))  # type: ignore[call-arg]
        twin.estimator_ = copy.deepcopy(model)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(model, name):
                setattr(twin, name, getattr(model, name))
        twin._take_over()
        return twin

    @classmethod
    def from_sklearn_model(
        cls,
        model: Any,
        X: Any = None,
        *,
        n_bits: Any = None,
        rounding_bits: Any = None,
        p_error: float | None = None,
    ) -> Any:
        """Return an estimator that predicts as one that is already fitted, encrypted.

        Parameters
        ----------
        model : estimator
            Fitted, of any class that can be converted. It is neither changed nor fitted
            again.
        X : array-like of shape (n_samples, n_features)
            Rows like those that it was fitted on; they have to be given.
        n_bits : int or dict, optional
            As in the constructor, with its default.
        rounding_bits : int, dict or 'auto', optional
            As in the constructor, with its default.
        p_error : float in (0, 1), optional
            As in the constructor, with its default.

        Returns
        -------
        estimator : instance of this class
            Fitted.

        Raises
        ------
        TypeError
            If `model` is of another kind, or `X` is missing.
        UnsupportedEstimatorError
            If `model` has no encrypted form.
        NotFittedError
            If `model` is not fitted.
        """
        twin = cls._twin(model, n_bits=n_bits, rounding_bits=rounding_bits, p_error=p_error)
        if X is None:
            raise TypeError(
                f"from_sklearn_model of {cls.__name__} needs rows X like those that the "
                "model was fitted on: the model does not know the ranges of its features."
            )
        if not hasattr(twin, "n_features_in_"):
            validate_data(twin, X, dtype=np.float64)
        twin._lower(X)
        return twin


def numbers_of(thing: Any, seen: set[int]) -> Iterator[Any]:
    """Yield the arrays, numbers and texts that an estimator, and those in it, hold."""
    if isinstance(thing, float | int | str | bool | type(None)):
        yield thing
        return
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, np.ndarray) and thing.dtype != object:
        yield thing
    elif isinstance(thing, Tree):
        yield from arrays_of(thing)
    elif isinstance(thing, BaseEstimator):
        for name, value in sorted(vars(thing).items()):
            yield name
            yield from numbers_of(value, seen)
    elif isinstance(thing, dict):
        for value in thing.values():
            yield from numbers_of(value, seen)
    elif isinstance(thing, list | tuple | np.ndarray):
        for value in thing:
            yield from numbers_of(value, seen)
