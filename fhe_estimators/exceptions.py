"""Errors that the package raises, each under the exception that users catch already."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fhe_estimators._not_fitted import ModelChangedError as ModelChangedError
    from fhe_estimators._not_fitted import NotCompiledError as NotCompiledError

__all__ = [
    "AccuracyWarning",
    "BitWidthError",
    "ClippingWarning",
    "CompilationError",
    "CostWarning",
    "ForkedProcessError",
    "GraphError",
    "InsecureRandomnessError",
    "ModelChangedError",
    "NotCompiledError",
    "UnsupportedEstimatorError",
    "UnsupportedOperatorError",
    "WrapAroundWarning",
]


class UnsupportedOperatorError(NotImplementedError):
    """A graph holds an operator, or an attribute of one, that has no encrypted form."""


class UnsupportedEstimatorError(TypeError):
    """A fitted model has no encrypted form: its class is not known, or its parameters."""


class GraphError(ValueError):
    """A graph breaks a rule of the stage that it is at: wiring, constants or ranges."""


class BitWidthError(ValueError):
    """An integer of the circuit needs more bits than the encryption scheme offers."""


class CompilationError(RuntimeError):
    """There are no cryptographic parameters for a circuit, or it would take hours."""


class InsecureRandomnessError(RuntimeError):
    """There is no source of random numbers that is safe enough for keys."""


class AccuracyWarning(UserWarning):
    """A quantized model is less accurate than its number of bits lets expect."""


class ClippingWarning(UserWarning):
    """Rows lie beyond the range of those that a model was fitted on."""


class WrapAroundWarning(UserWarning):
    """Rows have sums so far beyond those of calibration that tables give them nonsense."""


class CostWarning(UserWarning):
    """A row will take minutes."""


class ForkedProcessError(RuntimeError):
    """A forked process cannot compute what its parent has computed in threads before."""


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        # Their parent is scikit-learn's, which a process that only computes circuits
        # does without: it takes most of the time and memory of its start.
        if name not in ("ModelChangedError", "NotCompiledError"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module("fhe_estimators._not_fitted"), name)
