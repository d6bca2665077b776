"""What makes an estimator that holds a net predict on encrypted data."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from fhe_estimators.base import (
    FHEClassifierMixin,
    FHEMixin,
    FHERegressorMixin,
    Tags,
    parent_of,
)
from fhe_estimators.core.graph import as_tuple
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.quantized_module import RoundingOptions

__all__ = ["EncryptedClassifierMixin", "EncryptedRegressorMixin"]


class _EncryptedNetMixin(FHEMixin):
    """Outputs come from the integer graph; stands left of the class in clear."""

    #: What `from_sklearn_model` takes, in words.
    _taken: ClassVar[str] = ""

    net_: Any
    rounding: Any
    rounding_bits: Any

    def _outputs(self, X: Any) -> np.ndarray:
        scores = self._scores(X, super()._outputs)  # type: ignore[misc]
        # Only the first of several outputs is predicted from, as in skorch.
        first = self.quantized_module_.clear_module.outputs(*as_tuple(scores))[0]
        return first.reshape(len(first), -1)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.fhe_tags.exact = self.rounding != "approximate"
        return tags

    def _check_fhe_parameters(self) -> None:
        super()._check_fhe_parameters()
        self._rounding()

    def _rounding(self) -> RoundingOptions:
        """Return how accumulators are rounded in front of tables."""
        return RoundingOptions(self.rounding, self.rounding_bits)

    def _calibration(self) -> str:
        """Return how ranges of results of tables are chosen (hook)."""
        return "minmax"

    def _lower(
        self, X: Any, sample_weight: Any = None, *, incremental: bool = False
    ) -> None:
        X = self._validated(X)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        self.onnx_model_ = self._to_onnx()
        self.quantized_module_ = to_quantized_module(
            self.onnx_model_,
            Calibration([X], sample_weight),
            Options(
                self._bit_widths(),
                ranges=self._calibration(),
                rounding=self._rounding(),
                p_error=self.p_error,
            ),
        )
        self._remember()

    def _state(self) -> list[Any]:
        """Return the kinds of layers, and all tensors."""
        module = self.net_.module_
        tensors = module.state_dict().values()
        return [
            *(type(layer).__qualname__ for layer in module.modules()),
            *(tensor.detach().cpu().numpy() for tensor in tensors),
        ]

    @classmethod
    def _holder(cls, model: Any) -> Any:
        mirrored = parent_of(cls)
        if not isinstance(model, mirrored):
            kind = type(model)
            raise TypeError(
                f"{cls.__name__}.from_sklearn_model takes a fitted "
                f"{cls._taken or f'{cls.__name__} of fhe_estimators'}; got a "
                f"{kind.__name__} of {kind.__module__.partition('.')[0]}."
            )
        check_is_fitted(model)
        twin = cls.__new__(cls)
        vars(twin).update(vars(copy.deepcopy(model)))
        return twin


class EncryptedClassifierMixin(_EncryptedNetMixin, FHEClassifierMixin):
    """A classifier that holds a net and predicts on encrypted data."""


class EncryptedRegressorMixin(_EncryptedNetMixin, FHERegressorMixin):
    """A regressor that holds a net and predicts on encrypted data."""
