"""Errors that the package raises, each under the exception that users catch already."""

from sklearn.exceptions import NotFittedError

__all__ = [
    "AccuracyWarning",
    "BitWidthError",
    "ClippingWarning",
    "CompilationError",
    "CostWarning",
    "ForkedProcessError",
    "GraphError",
    "ModelChangedError",
    "NotCompiledError",
    "UnsupportedEstimatorError",
    "UnsupportedOperatorError",
    "WrapAroundWarning",
]


class NotCompiledError(NotFittedError):
    """A circuit was asked for before ``compile`` was called.

    It is a `NotFittedError`, hence also a ``ValueError`` and an ``AttributeError``:
    ``hasattr(estimator, "fhe_circuit_")`` is False before compilation.
    """


class UnsupportedOperatorError(NotImplementedError):
    """A graph holds an operator, or an attribute of one, that has no encrypted form."""


class UnsupportedEstimatorError(TypeError):
    """A fitted model has no encrypted form: its class is not known, or its parameters."""


class GraphError(ValueError):
    """A graph breaks a rule of the stage that it is at: wiring, constants or ranges."""


class ModelChangedError(NotFittedError):
    """A fitted model was changed, and what it is now cannot be lowered without rows.

    It is a `NotFittedError`: the model needs `fit`, or ``from_sklearn_model``.
    """


class BitWidthError(ValueError):
    """An integer of the circuit needs more bits than the encryption scheme offers."""


class CompilationError(RuntimeError):
    """There are no cryptographic parameters for a circuit, or it would take hours."""


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
