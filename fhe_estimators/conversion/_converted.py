"""Estimators that hold a fitted one of another class and predict as it does, encrypted."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    OutlierMixin,
    RegressorMixin,
    clone,
    is_classifier,
    is_outlier_detector,
    is_regressor,
)
from sklearn.tree._tree import Tree
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from fhe_estimators._readings import Labels, Reading, read
from fhe_estimators._state import arrays_of
from fhe_estimators.base import (
    FHE_CONSTRAINTS,
    FHEClassifierMixin,
    FHEMixin,
    FHERegressorMixin,
    Tags,
)
from fhe_estimators.core.circuit import check_affordable
from fhe_estimators.core.engine import ConcreteEngine
from fhe_estimators.core.graph import as_tuple
from fhe_estimators.core.lowering import (
    MARGINS,
    Calibration,
    Options,
    to_quantized_module,
)
from fhe_estimators.core.operators import kinds_of
from fhe_estimators.core.quantized_module import ROUNDINGS, RoundingOptions
from fhe_estimators.core.trees import TreeOptions
from fhe_estimators.exceptions import UnsupportedEstimatorError

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["ConvertedClassifier", "ConvertedOutlierDetector", "ConvertedRegressor"]

#: By how much what is exported may differ from the model, of the size of its results, and
#: which part of labels: single precision, and rows that are on the border.
_CLOSE, _LABELS = 1e-4, 0.01
_FAITHFUL = 2.0**-12
#: Rows that both are compared on.
_N_COMPARED = 500


def _has(method: str) -> Any:
    def check(self: Any) -> bool:
        fitted = getattr(self, "_method", None)
        if fitted is None:
            return hasattr(self.estimator, method)
        return bool(fitted == method)

    return check


class _Clear(BaseEstimator):
    """Holds an estimator, and predicts as it does, in clear."""

    _parameter_constraints: dict[str, list[Any]] = {
        "estimator": [HasMethods(["fit", "predict"])],
    }

    def __init__(
        self,
        estimator,
        *,
        n_bits=8,
        rounding="exact",
        rounding_bits="auto",
        accumulator_range="calibrated",
        p_error=2**-64,
    ):
        self.estimator = estimator
        self.n_bits = n_bits
        self.rounding = rounding
        self.rounding_bits = rounding_bits
        self.accumulator_range = accumulator_range
        self.p_error = p_error

    def fit(self, X, y=None, **fit_params):
        """Fit a clone of `estimator`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), optional
            An outlier detector takes none.
        **fit_params : dict
            Passed to the `fit` of the estimator.

        Returns
        -------
        self : object
        """
        self._validate_params()
        if y is None:
            X = validate_data(self, X, dtype=np.float64)
        else:
            X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True)
        self.estimator_ = clone(self.estimator).fit(X, y, **fit_params)
        self._take_over()
        return self

    def _take_over(self) -> None:
        """Take over what the fitted estimator knows of targets."""

    def predict(self, X):
        """Return what the fitted estimator predicts."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return self.estimator_.predict(X)


class ClearConvertedClassifier(ClassifierMixin, _Clear):
    """Holds a classifier, in clear."""

    def _take_over(self) -> None:
        self.classes_ = self.estimator_.classes_

    @available_if(_has("predict_proba"))
    def predict_proba(self, X):
        """Return the probabilities of the fitted estimator."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return self.estimator_.predict_proba(X)

    @available_if(_has("decision_function"))
    def decision_function(self, X):
        """Return the scores of the fitted estimator."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return self.estimator_.decision_function(X)


class ClearConvertedRegressor(RegressorMixin, _Clear):
    """Holds a regressor, in clear."""


class ClearConvertedOutlierDetector(OutlierMixin, _Clear):
    """Holds an outlier detector, in clear."""

    def decision_function(self, X):
        """Return the scores of the fitted estimator: negative for outliers."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return self.estimator_.decision_function(X)


class _ConvertedMixin(FHEMixin):
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
        trees = TreeOptions(
            tolerance=_FAITHFUL,
            wide_tolerance=_FAITHFUL,
            saturation=8.0 if is_classifier(self) else None,
        )
        self.quantized_module_ = to_quantized_module(
            self.onnx_model_,
            Calibration([rows.astype(self._feature_dtype)], sample_weight),
            Options(
                self._bit_widths(),
                ranges="least_error",
                rounding=RoundingOptions(self.rounding, self.rounding_bits),
                accumulator_range=self.accumulator_range,
                trees=trees,
                p_error=self.p_error,
            ),
        )
        self._remember()
        self._tell_cost()

    def _tell_cost(self) -> None:
        """Tell what takes minutes a row before it is compiled; see `check_affordable`."""
        graph = self.quantized_module_.graph
        prices = ConcreteEngine().prices(self.p_error)
        kind_of, n_tables, operations = kinds_of(graph), 0, 0.0
        for node in graph:
            kind = kind_of(node)
            if kind.bootstraps:
                number = graph.value(node.outputs[0]).row_size
                n_tables += number
                bits = kind.table_bits(node, graph)
                operations += number * prices.operations(bits)
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
        return [self._method, *_numbers_of(self.estimator_, set())]

    @classmethod
    def _holder(cls, model: Any) -> Any:
        if isinstance(model, cls._mirrors):
            check_is_fitted(model)
            twin = cls.__new__(cls)
            vars(twin).update(vars(copy.deepcopy(model)))
            return twin
        if not (isinstance(model, BaseEstimator) and cls._takes(model)):
            raise TypeError(
                f"from_sklearn_model of {cls.__name__} takes a fitted {cls._TAKEN}; got "
                f"{type(model).__name__}."
            )
        check_is_fitted(model)
        twin = cls(clone(model))
        twin.estimator_ = copy.deepcopy(model)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(model, name):
                setattr(twin, name, getattr(model, name))
        twin._take_over()
        return twin

    @classmethod
    def from_sklearn_model(
        cls, model: Any, X: Any = None, *, n_bits: Any = None, p_error: float | None = None
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
        twin = cls._twin(model, n_bits=n_bits, p_error=p_error)
        if X is None:
            raise TypeError(
                f"from_sklearn_model of {cls.__name__} needs rows X like those that the "
                "model was fitted on: the model does not know the ranges of its features."
            )
        if not hasattr(twin, "n_features_in_"):
            validate_data(twin, X, dtype=np.float64)
        twin._lower(X)
        return twin


def _numbers_of(thing: Any, seen: set[int]) -> Iterator[Any]:
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
            yield from _numbers_of(value, seen)
    elif isinstance(thing, dict):
        for value in thing.values():
            yield from _numbers_of(value, seen)
    elif isinstance(thing, list | tuple | np.ndarray):
        for value in thing:
            yield from _numbers_of(value, seen)


class ConvertedClassifier(_ConvertedMixin, FHEClassifierMixin, ClearConvertedClassifier):
    """A classifier of another class that predicts on encrypted data.

    Of scikit-learn, for example one that combines others: what it computes becomes one
    circuit. Which methods there are, `predict_proba` or `decision_function`, follows from
    what that computes; `predict` is always there.

    Parameters
    ----------
    estimator : estimator
        What is fitted: it is cloned. Its parameters are nested: ``estimator__alpha``.
    n_bits : int or dict, default=8
        Bits of inputs, weights and results of tables, from 1 to 16. A dict ``{"op_inputs":
        ..., "op_weights": ...}`` sets results of tables and weights; it may have
        ``"model_inputs"`` and ``"model_outputs"``. Trees keep their thresholds.
    rounding : {'exact', 'approximate'} or None, default='exact'
        How sums are rounded in front of tables. ``"exact"`` gives the same integers in
        clear and encrypted. ``"approximate"`` is faster; a sum near the border between two
        multiples may go to either when encrypted.
    rounding_bits : int, dict or 'auto', default='auto'
        Bits that are kept of the sums: of all, or by layer (the names that
        ``quantized_module_.layers`` reports). ``"auto"`` takes as few of them, and of
        weights and results of tables, as give nearly what all bits give on the training
        rows.
    accumulator_range : {'calibrated', 'worst_case'}, default='calibrated'
        Which sums tables cover. ``"calibrated"``: those of the training rows with a margin
        of a quarter of their range on either side, which takes fewer bits or keeps more of
        them. Farther out tables wrap around, encrypted exactly as in clear, where a
        `WrapAroundWarning` counts such rows. ``"worst_case"``: all that there can be.
    p_error : float, default=2**-64
        Probability that a decrypted score is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    estimator_ : estimator
        The fitted clone of `estimator`.
    n_features_in_ : int
        Number of features.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    Examples
    --------
    >>> from fhe_estimators import ConvertedClassifier
    >>> from sklearn.svm import SVC
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> ConvertedClassifier(SVC()).fit(X, y).predict(X)
    array([0, 0, 1, 1])
    """

    # Of this class; `make mirror` writes Parameters and Attributes.
    _mirrors = ClearConvertedClassifier
    _METHODS = ("predict_proba", "decision_function", "predict")
    _TAKEN = "classifier"
    _takes = staticmethod(is_classifier)

    classes_: np.ndarray

    def _readings_of(self, scores: Reading) -> dict[str, Reading]:
        one = self._n_columns == 1
        link = "rounded" if self._counts_votes else "none"
        labels = Labels("above" if one else "largest", labels=self.classes_)
        readings = {"predict": replace(scores, link=link, labels=labels)}
        if self._method != "predict":
            form = "vector" if one else "table"
            readings[self._method] = replace(scores, form=form)
        return readings

    @available_if(_has("predict_proba"))
    def predict_proba(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self._read("predict_proba", X, fhe)

    @available_if(_has("predict_proba"))
    def predict_log_proba(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(self._read("predict_proba", X, fhe))

    @available_if(_has("decision_function"))
    def decision_function(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Return the raw scores.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes, positive means ``classes_[1]``.
        """
        return self._read("decision_function", X, fhe)


class ConvertedRegressor(_ConvertedMixin, FHERegressorMixin, ClearConvertedRegressor):
    """A regressor of another class that predicts on encrypted data.

    Of scikit-learn, for example one that combines others: what it computes becomes one
    circuit.

    Parameters
    ----------
    estimator : estimator
        What is fitted: it is cloned. Its parameters are nested: ``estimator__alpha``.
    n_bits : int or dict, default=8
        Bits of inputs, weights and results of tables, from 1 to 16. A dict ``{"op_inputs":
        ..., "op_weights": ...}`` sets results of tables and weights; it may have
        ``"model_inputs"`` and ``"model_outputs"``. Trees keep their thresholds.
    rounding : {'exact', 'approximate'} or None, default='exact'
        How sums are rounded in front of tables. ``"exact"`` gives the same integers in
        clear and encrypted. ``"approximate"`` is faster; a sum near the border between two
        multiples may go to either when encrypted.
    rounding_bits : int, dict or 'auto', default='auto'
        Bits that are kept of the sums: of all, or by layer (the names that
        ``quantized_module_.layers`` reports). ``"auto"`` takes as few of them, and of
        weights and results of tables, as give nearly what all bits give on the training
        rows.
    accumulator_range : {'calibrated', 'worst_case'}, default='calibrated'
        Which sums tables cover. ``"calibrated"``: those of the training rows with a margin
        of a quarter of their range on either side, which takes fewer bits or keeps more of
        them. Farther out tables wrap around, encrypted exactly as in clear, where a
        `WrapAroundWarning` counts such rows. ``"worst_case"``: all that there can be.
    p_error : float, default=2**-64
        Probability that a decrypted score is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone of `estimator`.
    n_features_in_ : int
        Number of features.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    Examples
    --------
    >>> from fhe_estimators import ConvertedRegressor
    >>> from sklearn.linear_model import TheilSenRegressor
    >>> X, y = [[0], [1], [2], [3]], [1, 3, 5, 7]
    >>> ConvertedRegressor(TheilSenRegressor()).fit(X, y).predict([[1]]).round(1)
    array([3.])
    """

    # Of this class; `make mirror` writes Parameters and Attributes.
    _mirrors = ClearConvertedRegressor
    _TAKEN = "regressor"
    _takes = staticmethod(is_regressor)

    def _readings_of(self, scores: Reading) -> dict[str, Reading]:
        return {"predict": replace(scores, form="vector" if self._flat else "table")}


class ConvertedOutlierDetector(_ConvertedMixin, ClearConvertedOutlierDetector):
    """An outlier detector of another class that predicts on encrypted data.

    What it computes becomes one circuit.

    Parameters
    ----------
    estimator : estimator
        What is fitted: it is cloned. Its parameters are nested: ``estimator__alpha``.
    n_bits : int or dict, default=8
        Bits of inputs, weights and results of tables, from 1 to 16. A dict ``{"op_inputs":
        ..., "op_weights": ...}`` sets results of tables and weights; it may have
        ``"model_inputs"`` and ``"model_outputs"``. Trees keep their thresholds.
    rounding : {'exact', 'approximate'} or None, default='exact'
        How sums are rounded in front of tables. ``"exact"`` gives the same integers in
        clear and encrypted. ``"approximate"`` is faster; a sum near the border between two
        multiples may go to either when encrypted.
    rounding_bits : int, dict or 'auto', default='auto'
        Bits that are kept of the sums: of all, or by layer (the names that
        ``quantized_module_.layers`` reports). ``"auto"`` takes as few of them, and of
        weights and results of tables, as give nearly what all bits give on the training
        rows.
    accumulator_range : {'calibrated', 'worst_case'}, default='calibrated'
        Which sums tables cover. ``"calibrated"``: those of the training rows with a margin
        of a quarter of their range on either side, which takes fewer bits or keeps more of
        them. Farther out tables wrap around, encrypted exactly as in clear, where a
        `WrapAroundWarning` counts such rows. ``"worst_case"``: all that there can be.
    p_error : float, default=2**-64
        Probability that a decrypted score is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone of `estimator`.
    n_features_in_ : int
        Number of features.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    Examples
    --------
    >>> from fhe_estimators import ConvertedOutlierDetector
    >>> from sklearn.svm import OneClassSVM
    >>> X = [[0, 0], [0, 1], [1, 0], [1, 1], [9, 9]]
    >>> ConvertedOutlierDetector(OneClassSVM(nu=0.3)).fit(X).predict([[0.5, 0.5]])
    array([1])
    """

    # Of this class; `make mirror` writes Parameters and Attributes.
    _mirrors = ClearConvertedOutlierDetector
    _METHODS = ("decision_function",)
    _TAKEN = "outlier detector"
    _takes = staticmethod(is_outlier_detector)

    def _readings_of(self, scores: Reading) -> dict[str, Reading]:
        labels = Labels("not_below", labels=np.array([-1, 1]))
        return {
            "decision_function": replace(scores, form="vector"),
            "predict": replace(scores, labels=labels),
        }

    def decision_function(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Return the raw scores.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Negative for outliers.
        """
        return self._read("decision_function", X, fhe)
