"""What estimators with a linear raw score share: how they export, where they join."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.utils._param_validation import Interval, StrOptions

from fhe_estimators._config import current_mode
from fhe_estimators._readings import Labels, Reading
from fhe_estimators._state import within
from fhe_estimators.base import (
    FHE_CONSTRAINTS,
    FHEClassifierMixin,
    FHEMixin,
    FHERegressorMixin,
    Tags,
)
from fhe_estimators.core.quantization import InputRange

if TYPE_CHECKING:
    from onnx import ModelProto

    from fhe_estimators.core.integers import BitWidths

__all__ = [
    "LINEAR_CONSTRAINTS",
    "BayesianRegressorMixin",
    "GeneralizedLinearMixin",
    "LinearClassifierMixin",
    "LinearMixin",
    "LinearRegressorMixin",
    "LogisticMixin",
    "PathMixin",
]

#: Constraints of the parameters that linear models add to their parents'.
LINEAR_CONSTRAINTS: dict[str, list[Any]] = {
    **FHE_CONSTRAINTS,
    "range_margin": [StrOptions({"auto"}), Interval(Real, 0, 1000, closed="both")],
}

#: Bits of weights, for inputs of so many bits at most.
_FAST_WEIGHT_BITS, _FAST_BITS = 7, 8

#: A row is near a boundary within this part of the root mean square of margins.
_NEAR = 0.3


class LinearMixin(FHEMixin):
    """The raw score is ``X @ coef_.T + intercept_``."""

    _fhe_constraints = LINEAR_CONSTRAINTS
    _CLIPPING_CURE = (
        "Fit on rows that cover the range, or set range_margin or a larger n_bits."
    )

    coef_: Any
    intercept_: Any
    range_margin: str | float

    def __sklearn_tags__(self) -> Tags:
        """Return tags that say that no bootstrap is needed."""
        tags = super().__sklearn_tags__()
        tags.fhe_tags.levelled = True
        return tags

    def _bit_widths(self) -> BitWidths:
        """Return fewer bits for weights than for inputs up to 8 bits, as many above.

        A bit of the weights costs more than one of the inputs (it lengthens the result
        and the noise alike), and the fitted weights lose less: seven bits of them are worth
        eight of the inputs. Above eight bits precision counts more than speed.
        """
        bits = super()._bit_widths()
        if self._margin_bits:
            bits = replace(bits, model_inputs=bits.of_inputs + self._margin_bits)
        if isinstance(self.n_bits, Mapping) or bits.op_inputs > _FAST_BITS:
            return bits
        return replace(bits, op_weights=_FAST_WEIGHT_BITS)

    def _range_of(
        self, X: np.ndarray, n_bits: int, sample_weight: np.ndarray | None
    ) -> InputRange:
        """Return ranges with a margin for rows that lie beyond those of training."""
        if self.range_margin == "auto":
            return super()._range_of(X, n_bits, sample_weight)
        # As fine as without the margin: it takes whole bits more.
        margin = (2**self._margin_bits - 1) / 2
        return InputRange.around(X, margin, sample_weight)

    @property
    def _margin_bits(self) -> int:
        """Bits that `range_margin` adds to inputs; 0 for ``"auto"``."""
        if self.range_margin == "auto":
            return 0
        return math.ceil(math.log2(1 + 2 * float(self.range_margin)))

    def _linear_map(self) -> tuple[np.ndarray, np.ndarray, str]:
        """Return coefficients, intercepts and the name of the link (hook).

        Returns
        -------
        coef : ndarray of shape (n_outputs, n_features)
        intercept : ndarray of shape (n_outputs,)
        link : str
            A key of `fhe_estimators.core.frontends.torch.LINKS`.
        """
        coef = self.coef_.toarray() if sparse.issparse(self.coef_) else self.coef_
        coef = np.atleast_2d(coef)
        intercept = np.broadcast_to(np.ravel(self.intercept_), (len(coef),))
        return coef, intercept, self._link()

    def _link(self) -> str:
        """Return the link, a key of `fhe_estimators.core.frontends.torch.LINKS` (hook)."""
        return "identity"

    def _to_onnx(self) -> ModelProto:
        from fhe_estimators.core.frontends.torch import export_linear

        coef, intercept, link = self._linear_map()
        n_features = len(self._input_range.low)
        if coef.shape[1] != n_features:
            raise ValueError(
                f"there are {coef.shape[1]} coefficients for {n_features} features."
            )
        for name, values in (("coefficients", coef), ("intercepts", intercept)):
            if not np.isfinite(values).all():
                raise ValueError(
                    f"{type(self).__name__} has {name} that are not finite: "
                    f"{values[~np.isfinite(values)][0]}. Features with very large numbers "
                    "do that: scale them, for example with StandardScaler."
                )
        return export_linear(coef, intercept, link)

    def _state(self) -> list[Any]:
        """Return coefficients and intercepts, dense whether sparsified or not."""
        coef, intercept, _ = self._linear_map()
        return [np.asarray(coef, np.float64), np.asarray(intercept, np.float64)]

    def _rows_like_fitted(self) -> np.ndarray:
        """Return calibration rows, (n_samples, n_features), instead of those of `fit`."""
        return within(self._input_range.low, self._input_range.high)

    def _lower_again(self) -> None:
        if not hasattr(self, "_input_range"):
            raise ValueError("the ranges of its features are not known.")
        self._quantize(self._rows_like_fitted())


class LinearRegressorMixin(LinearMixin, FHERegressorMixin):
    """For regressors whose parent predicts with ``_decision_function``."""

    def _decision_function(self, X: Any) -> np.ndarray:
        scores = self._scores(X, super()._decision_function)  # type: ignore[misc]
        return scores[:, 0] if self.coef_.ndim == 1 and scores.ndim == 2 else scores

    def _readings(self) -> dict[str, list[Reading]]:
        form = "vector" if self.coef_.ndim == 1 else "table"
        return {"predict": [Reading(form=form)]}


class BayesianRegressorMixin(LinearRegressorMixin):
    """For regressors whose parent knows how uncertain a prediction is."""

    def predict(self, X: Any, return_std: bool = False, *, fhe: str | None = None) -> Any:
        """Predict.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        return_std : bool, default=False
            Whether to return standard deviations, too. They depend on products of features,
            and are computed from the rows in clear: with ``fhe="disable"`` only.
        fhe : {'disable', 'simulate', 'execute'}, optional
            How raw scores are computed: with quantized integers in clear, with the
            cryptography simulated, or on encrypted rows. By default the mode of
            `config_context`, which is ``"disable"`` outside of one.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,), or a tuple of two
            With the standard deviation of each prediction if asked for.

        Raises
        ------
        ValueError
            If standard deviations are asked for in another mode.
        """
        with self._mode(fhe):
            mode = current_mode()
            if return_std and mode != "disable":
                raise ValueError(
                    f"The parameter return_std={return_std!r} needs the rows in clear; got "
                    f"fhe={mode!r}. Set return_std=False, or fhe='disable' where the rows "
                    "may be seen."
                )
            return self._in_mode("predict", None, X, return_std=return_std)


class PathMixin(LinearRegressorMixin):
    """For regressors whose parent fits along a path of penalties."""

    @classmethod
    def path(cls, X: Any, y: Any, **params: Any) -> Any:
        """Compute the coefficients along a path of penalties, in clear.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        **params : dict
            Those of the parent's `path`; `fit` passes all of the estimator's on, and ours
            have no effect.

        Returns
        -------
        path : tuple of ndarray
            As from the scikit-learn class.
        """
        known = {name: params[name] for name in params.keys() - cls._fhe_constraints}
        return super().path(X, y, **known)  # type: ignore[misc]


class GeneralizedLinearMixin(LinearMixin, FHERegressorMixin):
    """For regressors whose parent predicts with ``_linear_predictor`` and a link."""

    _base_loss: Any

    def _linear_predictor(self, X: Any) -> np.ndarray:
        scores = self._scores(X, super()._linear_predictor)  # type: ignore[misc]
        return scores.reshape(len(scores))

    def _readings(self) -> dict[str, list[Reading]]:
        return {"predict": [Reading(end=True, form="vector")]}

    def _link(self) -> str:
        name = type(self._base_loss.link).__name__
        return {"LogLink": "exp", "IdentityLink": "identity"}[name]


class LinearClassifierMixin(LinearMixin, FHEClassifierMixin):
    """For classifiers whose parent predicts with ``decision_function``."""

    classes_: np.ndarray

    def _readings(self) -> dict[str, list[Reading]]:
        n_outputs = len(self._linear_map()[0])
        rule = "above" if n_outputs == 1 else "largest"
        form = "vector" if n_outputs == 1 else "table"
        readings = {
            "decision_function": [Reading(form=form)],
            "predict": [Reading(labels=Labels(rule, labels=self.classes_))],
        }
        if hasattr(self, "predict_proba"):
            readings["predict_proba"] = [Reading(end=True)]
        return readings

    def _importance(
        self, X: np.ndarray, sample_weight: np.ndarray | None
    ) -> np.ndarray | None:
        """Return weights under which rows near a boundary between classes count most.

        A rounding error changes the label, and the probability, of a row that lies near
        the boundary, and of no other. Rows count ``1 / (1 + (m / s)**2)``, where `m` is the
        margin by which the best class wins and `s` 0.3 times the root mean square of all.
        """
        coef, intercept, _ = self._linear_map()
        scores = X @ coef.T + intercept
        if len(coef) == 1:
            margin = np.abs(scores[:, 0])
        else:
            ordered = np.sort(scores, axis=1)
            margin = ordered[:, -1] - ordered[:, -2]
        # Only ratios count: squares of the largest numbers would overflow.
        margin = np.ldexp(margin, -np.frexp(margin.max())[1])
        weights = np.ones(len(X)) if sample_weight is None else sample_weight
        near = _NEAR**2 * np.average(margin**2, weights=weights)
        return weights / (1 + margin**2 / near) if near > 0 else weights

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
        with self._mode(fhe):
            scores = self._scores(X, super().decision_function)
        return scores[:, 0] if scores.ndim == 2 and scores.shape[1] == 1 else scores


class LogisticMixin(LinearClassifierMixin):
    """For classifiers whose probabilities are logistic functions, softmax, of scores."""

    def _link(self) -> str:
        return "sigmoid" if len(self.classes_) == 2 else "softmax"
