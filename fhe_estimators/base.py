"""What every estimator inherits beside its scikit-learn class.

The scikit-learn parent does everything but one step: it validates and fits, and it turns
raw scores into labels, probabilities and predictions. Only the raw score, what the parent
computes from the features, is computed on quantized and encrypted integers. A family
overrides the one method of the parent that computes it, through `FHEMixin._scores`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import fields
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from sklearn.utils._param_validation import Interval, validate_parameter_constraints
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from fhe_estimators._columns import explain_columns
from fhe_estimators._config import (
    bequeath,
    check_fhe_mode,
    current_mode,
    inherit,
    is_fitting,
    local_mode,
)
from fhe_estimators._diagram import DiagramMixin
from fhe_estimators._fit import lowered_after, refuse_sparse
from fhe_estimators._meta import refuse_other_mode_than_asked
from fhe_estimators._parents import in_floating_point, parent_of
from fhe_estimators._readings import Beside, Reading
from fhe_estimators._tables import TableRows
from fhe_estimators._tags import FHETags, Tags
from fhe_estimators._twins import TwinMixin
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.quantization import MAXIMUM_N_BITS, InputRange, resolve_n_bits
from fhe_estimators.core.validation import P_ERROR, check_p_error
from fhe_estimators.quantization import QuantizedModule

if TYPE_CHECKING:
    from onnx import ModelProto

    from fhe_estimators.core.circuit import Circuit
    from fhe_estimators.core.integers import BitWidths

__all__ = [
    "FHE_CONSTRAINTS",
    "FHEClassifierMixin",
    "FHEMixin",
    "FHERegressorMixin",
    "FHETags",
    "Tags",
    "in_floating_point",
    "parent_of",
]

_Method = TypeVar("_Method", bound=Callable[..., Any])

#: Constraints of the parameters that every estimator adds to its parent's.
FHE_CONSTRAINTS: dict[str, list[Any]] = {
    "n_bits": [Interval(Integral, 1, MAXIMUM_N_BITS, closed="both"), dict],
    "p_error": [P_ERROR],
}


def _if_parent_has(name: str) -> Callable[[_Method], _Method]:
    """Return a decorator of methods that are there where the parent has one of this name.

    It is scikit-learn's `available_if`, which knows no types; those of the method stay.
    """

    def check(self: FHEMixin) -> bool:
        getattr(super(FHEMixin, self), name)
        return True

    decorator: Callable[[_Method], _Method] = available_if(check)
    return decorator


class FHEMixin(TwinMixin, DiagramMixin):
    """Encrypted prediction for a scikit-learn estimator; stands left of its class.

    Attributes
    ----------
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link function.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers; holds the circuit once compiled.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.
    """

    # `fhe` may be passed through pipelines and other routers without being requested.
    __metadata_request__predict = {"fhe": True}
    __metadata_request__predict_proba = {"fhe": True}
    __metadata_request__predict_log_proba = {"fhe": True}
    __metadata_request__decision_function = {"fhe": True}
    __metadata_request__score = {"fhe": True}
    __metadata_request__transform = {"fhe": True}

    #: Constraints of the parameters that the family adds to the parent's.
    _fhe_constraints: ClassVar[dict[str, list[Any]]] = FHE_CONSTRAINTS
    #: What the parent takes features as.
    _feature_dtype: ClassVar[type] = np.float64
    #: Whether names of features keep their spaces.
    _takes_spaces: ClassVar[bool] = True
    #: What to do if rows lie beyond the range of those that the model was fitted on.
    _CLIPPING_CURE: ClassVar[str] = "Fit on rows that cover the range."
    #: Whether features fall into bins: missing values and categories have some, too.
    _has_bins: ClassVar[bool] = False

    _parameter_constraints: ClassVar[dict[str, list[Any]]]
    n_bits: Any
    p_error: float
    onnx_model_: ModelProto
    quantized_module_: QuantizedModule
    _input_range: InputRange

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give the class `fit` with the parent's signature, and all constraints.

        `partial_fit` too, where the parent has it. Constraints are the parent's and those
        of the parameters that the family adds.
        """
        for name in ("fit", "partial_fit"):
            parents = getattr(super(), name, None)
            if parents is not None and name not in vars(cls):
                lowered = lowered_after(parents, incremental=name == "partial_fit")
                setattr(cls, name, lowered)
        if hasattr(cls, "__signature__"):
            # A parent that is deprecated shows its own, as its `__new__` takes anything.
            _, *own = inspect.signature(cls.__init__).parameters.values()
            cls.__signature__ = inspect.Signature(own)
        constraints = getattr(cls, "_parameter_constraints", None)
        if constraints is not None:
            cls._parameter_constraints = {**constraints, **cls._fhe_constraints}
        super().__init_subclass__(**kwargs)

    def __sklearn_tags__(self) -> Tags:
        """Return the parent's tags for dense numpy input, with `fhe_tags` beside."""
        inherited = super().__sklearn_tags__()  # type: ignore[misc]
        names = [entry.name for entry in fields(inherited)]
        tags = Tags(**{name: getattr(inherited, name) for name in names})
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan &= self._has_bins
        tags.input_tags.categorical &= self._has_bins
        tags.input_tags.string &= self._has_bins
        tags.array_api_support = False
        return tags

    def _readings(self) -> dict[str, list[Reading]]:
        """Return what methods make of raw scores, see `Reading` (hook of the family)."""
        raise NotImplementedError

    def _term_of_rows(self) -> Beside | None:
        """Return a term of scores that the client computes (hook of the family)."""
        return None

    @property
    def _all_finite(self) -> bool | str:
        """Whether all numbers have to be finite, as `check_array` takes it."""
        return True

    @property
    def _names_of_features(self) -> Any:
        """The names of the columns that rows have to have, None if they need none."""
        return getattr(self, "feature_names_in_", None)

    def _table_rows(self) -> TableRows | None:
        """Return how tables become features, if not column by column (hook)."""
        return None

    # Lowering ------------------------------------------------------------------------

    def _to_onnx(self) -> ModelProto:
        """Return the fitted model as an ONNX model (hook of the family)."""
        raise NotImplementedError

    def _bit_widths(self) -> BitWidths:
        """Return the bits of inputs and of weights that `n_bits` stands for."""
        return resolve_n_bits(self.n_bits)

    def _check_fhe_parameters(self) -> None:
        """Raise `InvalidParameterError` if a parameter that we add is not valid."""
        constraints = self._fhe_constraints
        given = {name: getattr(self, name) for name in constraints}
        validate_parameter_constraints(constraints, given, type(self).__name__)
        self._bit_widths()

    def _heed(self, arguments: Mapping[str, Any]) -> None:
        """Take note of the arguments of `fit`, by name (hook of the family)."""

    def _prepared_for_fit(self, X: Any, sample_weight: Any) -> Any:
        """Return the rows that the parent is fitted on (hook of the family)."""
        return X

    def _prepared_again(self, X: Any, sample_weight: Any) -> Any:
        """Return rows that the parent is fitted on once more, if any (hook)."""
        return None

    def _lower(
        self, X: Any, sample_weight: Any = None, *, incremental: bool = False
    ) -> None:
        """Lower the fitted model to integers; drops the circuit of an earlier fit."""
        X = self._validated(X)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
            # Numbers of a row that does not count may be anything.
            counts = sample_weight > 0
            if not counts.all():
                X, sample_weight = X[counts], sample_weight[counts]
        input_range = self._range_of(X, self._bit_widths().op_inputs, sample_weight)
        if incremental and hasattr(self, "_input_range"):
            input_range = input_range.union(self._input_range)
        self._input_range = input_range
        self._quantize(X, sample_weight)

    def _quantize(self, X: np.ndarray, sample_weight: np.ndarray | None = None) -> None:
        """Lower the fitted model to integers, on the range of its inputs."""
        self.onnx_model_ = self._to_onnx()
        importance = self._importance(X, sample_weight)
        self.quantized_module_ = to_quantized_module(
            self.onnx_model_,
            Calibration([X], importance, [self._input_range]),
            Options(self._bit_widths()),
        )
        self._remember()

    def _range_of(
        self, X: np.ndarray, n_bits: int, sample_weight: np.ndarray | None
    ) -> InputRange:
        """Return the range of each feature (hook of the family)."""
        return InputRange.of(X, n_bits, sample_weight)

    def _importance(
        self, X: np.ndarray, sample_weight: np.ndarray | None
    ) -> np.ndarray | None:
        """Return how much each row counts when weights are rounded (hook of the family)."""
        return sample_weight

    # Encrypted prediction ------------------------------------------------------------

    def _scores(
        self, X: Any, float_scores: Callable[[Any], np.ndarray], *, validated: bool = False
    ) -> np.ndarray:
        """Return raw scores, of shape (n_samples, n_outputs), in the mode in force.

        While the parent is fitting (early stopping evaluates the half-fitted model) they
        are the parent's own. Rows that the parent has `validated` lost their names, and are
        not validated again.
        """
        if is_fitting():
            return float_scores(X)
        mode = current_mode()
        refuse_other_mode_than_asked(self, mode)
        check_is_fitted(self)
        refuse_sparse(X)
        X = X if validated else self._validated(X)
        self._follow()
        if mode != "disable" and not self.quantized_module_.is_compiled:
            self.compile()
        names = self._names_of_features
        scores: np.ndarray = self.quantized_module_.scores(
            X, fhe=mode, names=names, cure=self._CLIPPING_CURE
        )
        return scores

    def _check_lowered(self) -> None:
        """Raise if the model is not fitted; lower it again if it was changed."""
        check_is_fitted(self)
        self._follow()

    def _validated(self, X: Any) -> np.ndarray:
        refuse_sparse(X)
        dtype = self._feature_dtype
        # Numbers are finite if their sum is; the sum of the largest need not be a number.
        with explain_columns(self, X), np.errstate(over="ignore", invalid="ignore"):
            array: np.ndarray = validate_data(
                self, X, reset=False, dtype=dtype, ensure_all_finite=self._all_finite
            )
        return array

    def compile(
        self, X: Any = None, *, configuration: Any = None, p_error: float | None = None
    ) -> Circuit:
        """Compile the circuit.

        It need not be called: predicting with ``fhe="simulate"`` or ``"execute"``
        compiles the first time.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), optional
            Only validated. Ranges of integers are known without data.
        configuration : concrete.fhe.Configuration, optional
            Passed to the engine.
        p_error : float in (0, 1), optional
            Instead of the parameter of the estimator.

        Returns
        -------
        circuit : Circuit

        Raises
        ------
        NotFittedError
            Before `fit`.
        CompilationError
            If there are no cryptographic parameters for integers that wide.
        """
        self._check_lowered()
        if X is not None:
            self._validated(X)
        p_error = self.p_error if p_error is None else p_error
        p_error = check_p_error(p_error, f"{type(self).__name__}.compile")
        return self.quantized_module_.compile(p_error=p_error, configuration=configuration)

    def quantize_input(self, X: Any) -> np.ndarray:
        """Return the integers that the circuit takes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        q_X : ndarray of int64 of shape (n_samples, n_inputs)
            C-contiguous. One for each feature, or each function of features that the
            client computes before it encrypts; in ``[-2**(n_bits-1), 2**(n_bits-1) - 1]``,
            with more bits for a `range_margin`, and two more for converted models. Of
            trees, for each feature that they look at, in order: a bit for each edge of its
            bins, 1 if the value is not above the edge, or, with
            ``input_encoding="integer"``, the number of the bin, from 0 to
            the number of edges.
        """
        self._check_lowered()
        q_X: Any = self.quantized_module_.quantize_input(self._validated(X))
        return q_X

    def dequantize_output(self, q_scores: np.ndarray) -> np.ndarray:
        """Return the raw scores that results of the circuit stand for.

        Parameters
        ----------
        q_scores : ndarray of int of shape (n_samples, n_results)
            One for each output. Of trees, parts of sums, several for an output, or the
            numbers of leaves.

        Returns
        -------
        scores : ndarray of float64 of shape (n_samples, n_outputs)
        """
        self._check_lowered()
        scores: Any = self.quantized_module_.dequantize_output(np.asarray(q_scores))
        return scores

    @property
    def onnx_model(self) -> ModelProto:
        """The fitted model in floating point, as ONNX."""
        self._check_lowered()
        return self.onnx_model_

    @property
    def quantized_module(self) -> QuantizedModule:
        """The integer graph with its quantizers."""
        self._check_lowered()
        return self.quantized_module_

    @property
    def fhe_circuit(self) -> Circuit:
        """The compiled circuit; raises `NotCompiledError` before `compile`."""
        self._check_lowered()
        return self.quantized_module_.fhe_circuit

    @property
    def fhe_circuit_(self) -> Circuit:
        """The compiled circuit; raises `NotCompiledError` before `compile`."""
        return self.fhe_circuit

    def _mode(self, fhe: str | None) -> AbstractContextManager[None]:
        """Return a context in which raw scores are computed in the mode `fhe`."""
        return local_mode(None if fhe is None else check_fhe_mode(fhe))

    def _in_mode(self, method: str, fhe: str | None, *args: Any, **kwargs: Any) -> Any:
        """Call the parent's method with the raw scores computed in a mode."""
        with self._mode(fhe), explain_columns(self, args[0]):
            return getattr(super(), method)(*args, **kwargs)

    @_if_parent_has("predict")
    def predict(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
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
            As from the scikit-learn class.
        """
        return self._in_mode("predict", fhe, X)

    @_if_parent_has("score")
    def score(
        self, X: Any, y: Any, sample_weight: Any = None, *, fhe: str | None = None
    ) -> float:
        """Return the score of the scikit-learn class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        score : float
        """
        return self._in_mode("score", fhe, X, y, sample_weight=sample_weight)

    # Pickling ------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())  # type: ignore[call-overload]
        state.pop("_fhe_inheritance", None)
        bequest = bequeath()
        if bequest is not None:
            state["_fhe_bequest"] = bequest
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        inheritance = inherit(state.pop("_fhe_bequest", None))
        super().__setstate__(state)  # type: ignore[misc]
        if inheritance is not None:
            self._fhe_inheritance = inheritance


class FHERegressorMixin(FHEMixin):
    """A regressor that predicts on encrypted data."""


class FHEClassifierMixin(FHEMixin):
    """A classifier that predicts on encrypted data.

    It has the methods that its scikit-learn class has.
    """

    @_if_parent_has("decision_function")
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
            As from the scikit-learn class.
        """
        return self._in_mode("decision_function", fhe, X)

    @_if_parent_has("predict_proba")
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
        return self._in_mode("predict_proba", fhe, X)

    @_if_parent_has("predict_log_proba")
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
        return self._in_mode("predict_log_proba", fhe, X)
