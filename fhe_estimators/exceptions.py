"""Errors that the package raises, each under the exception that users catch already."""

from sklearn.exceptions import NotFittedError

__all__ = [
    "BitWidthError",
    "CompilationError",
    "CostWarning",
    "ForkedProcessError",
    "GraphError",
    "NotCompiledError",
    "UnsupportedOperatorError",
]


class NotCompiledError(NotFittedError):
    """A circuit was asked for before ``compile`` was called.

    It is a `NotFittedError`, hence also a ``ValueError`` and an ``AttributeError``:
    ``hasattr(estimator, "fhe_circuit_")`` is False before compilation.
    """


class UnsupportedOperatorError(NotImplementedError):
    """A graph holds an operator, or an attribute of one, that has no encrypted form."""


class GraphError(ValueError):
    """A graph breaks a rule of the stage that it is at: wiring, constants or ranges."""


class BitWidthError(ValueError):
    """An integer of the circuit needs more bits than the encryption scheme offers."""


class CompilationError(RuntimeError):
    """There are no cryptographic parameters for a circuit, or it would take hours."""


class CostWarning(UserWarning):
    """A row will take minutes."""


class ForkedProcessError(RuntimeError):
    """A forked process cannot compute what its parent has computed in threads before."""
