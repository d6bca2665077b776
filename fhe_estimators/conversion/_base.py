"""What estimators share whose scores come from the circuit of another one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
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
from fhe_estimators.core.quantization import MAXIMUM_N_BITS
from fhe_estimators.core.quantized_module import ROUNDINGS, RoundingOptions
from fhe_estimators.core.trees import TreeOptions
from fhe_estimators.exceptions import UnsupportedEstimatorError, UnsupportedOperatorError
from fhe_estimators.quantization import QuantizedModule

if TYPE_CHECKING:
    from onnx import ModelProto

    from fhe_estimators.core.integers import BitWidths

#: By how much what is exported may differ from the model, of the size of its results, and
#: which part of labels: single precision, and rows that are on the border.
_CLOSE, _LABELS = 1e-4, 0.01
_FAITHFUL = 2.0**-12
#: Bits that inputs have more than weights and results of tables. Distances between rows are
#: made of them; where sums are rounded, one more takes a table of one bit.
_INPUT_BITS = 2
#: What rounding may add to the error of scores, as a part of their standard deviation:
#: first, and where labels of more than a part of the rows change, or numbers are predicted.
_ROUGH, _CLOSER, _OTHER_LABELS = 0.1, 0.05, 0.01
#: Attributes that hold rows of training, and how far from one to another rows are judged.
_ROWS_HELD, _BETWEEN = {"support_vectors_", "X_fit_"}, 0.3
#: Rows that both are compared on.
_N_COMPARED = 500


class ConvertedMixin(FHEMixin):
    """Scores come from the integer graph of what the estimator computes."""

    _fhe_constraints: ClassVar[dict[str, Any]] = {
        **FHE_CONSTRAINTS,
        "rounding": [StrOptions(set(ROUNDINGS)), None],
        # `RoundingOptions` validates them.
        "rounding_bits": "no_validation",
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

    def _bit_widths(self) -> BitWidths:
        """Return more bits for inputs than for weights, if `n_bits` does not tell both."""
        bits = super()._bit_widths()
        if isinstance(self.n_bits, Mapping):
            return bits
        return replace(bits, model_inputs=min(bits.op_inputs + _INPUT_BITS, MAXIMUM_N_BITS))

    def _quantized(self, rows: np.ndarray, sample_weight: Any) -> QuantizedModule:
        """Return the integers of the exported model, rounded as little as has to be.

        Where bits are chosen, few are tried first if labels are what is predicted: scores
        may be off by a part that changes none. Labels by the largest of several scores
        are kept by the search for bits; those by the sign of one are looked at here.
        """
        numbers = is_regressor(self)
        module = self._rounded(rows, sample_weight, _CLOSER if numbers else _ROUGH)
        if numbers or RoundingOptions(self.rounding, self.rounding_bits).given is not None:
            return module
        several = sum(value.row_size for value in module.graph.outputs) > 1
        if several or not any(layer.tables for layer in module.layers):
            return module
        if self._other_labels(module, rows[:_N_COMPARED]) <= _OTHER_LABELS:
            return module
        return self._rounded(rows, sample_weight, _CLOSER)

    def _other_labels(self, module: QuantizedModule, rows: np.ndarray) -> float:
        """Return the part of the rows that get another label than from the model."""
        scores = as_tuple(module.scores(rows.astype(self._feature_dtype)))
        reading = self._readings()["predict"]
        found = read(reading, scores, module.clear_module, "predict")
        return float(np.mean(found != self.estimator_.predict(rows)))

    def _rounded(
        self, rows: np.ndarray, sample_weight: Any, tolerance: float
    ) -> QuantizedModule:
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
                self.rounding, self.rounding_bits, tolerance, labels=is_classifier(self)
            ),
            accumulator_range=self.accumulator_range,
            trees=trees,
            p_error=self.p_error,
        )
        rows = self._calibrating(rows).astype(self._feature_dtype)
        if sample_weight is not None:
            sample_weight = np.resize(sample_weight, len(rows))
        calibration = Calibration([rows], sample_weight)
        try:
            return to_quantized_module(self.onnx_model_, calibration, options)
        except UnsupportedOperatorError as error:
            name = type(self.estimator_).__name__
            raise UnsupportedEstimatorError(
                f"{name} has no encrypted form: {error}"
            ) from error

    def _calibrating(self, rows: np.ndarray) -> np.ndarray:
        """Return rows on which it is judged how far sums may be rounded.

        A kernel is at its largest at the rows that a model holds: others are nearer to what
        will be predicted, which are some of the way from one row to another.
        """
        if self._counts_votes:  # a vote more or less would be the largest error
            return rows
        parts = (part for part in numbers_of(self.estimator_, set()) if _is_text(part))
        if not _ROWS_HELD.intersection(parts):
            return rows
        others = rows[np.random.default_rng(0).permutation(len(rows))]
        return np.concatenate([rows, rows + _BETWEEN * (others - rows)])

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
    def _holder(cls, model: Any, X: Any = None) -> Any:
        if isinstance(model, cls._mirrors):
            check_is_fitted(model)
            return cls._copy_of(model)
        if not (isinstance(model, BaseEstimator) and cls._takes(model)):
            raise TypeError(
                f"from_sklearn_model of {cls.__name__} takes a fitted {cls._TAKEN}; got "
                f"{type(model).__name__}."
            )
        check_is_fitted(model)
        twin: Any = cls(clone(model))  # type: ignore[call-arg]
        twin.estimator_ = copy.deepcopy(model)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(model, name):
                setattr(twin, name, getattr(model, name))
        twin._take_over()
        return twin

    def _lower_held(self, X: Any, given: Collection[str]) -> None:
        rows = self._rows_known() if X is None else X
        if rows is not None and not hasattr(self, "n_features_in_"):
            validate_data(self, rows, dtype=np.float64)
        super()._lower_held(rows, given)

    def _rows_known(self) -> np.ndarray | None:
        from fhe_estimators.conversion._rows import rows_known

        return rows_known(self.estimator_)


def _is_text(part: Any) -> bool:
    return isinstance(part, str)


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
