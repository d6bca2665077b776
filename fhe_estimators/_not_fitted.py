"""Errors of `fhe_estimators.exceptions` under an exception of scikit-learn."""

from sklearn.exceptions import NotFittedError

_PUBLIC = "fhe_estimators.exceptions"


class NotCompiledError(NotFittedError):
    """A circuit was asked for before ``compile`` was called.

    It is a `NotFittedError`, hence also a ``ValueError`` and an ``AttributeError``:
    ``hasattr(estimator, "fhe_circuit_")`` is False before compilation.
    """

    __module__ = _PUBLIC


class ModelChangedError(NotFittedError):
    """A fitted model was changed, and what it is now cannot be lowered without rows.

    It is a `NotFittedError`: the model needs `fit`, or ``from_sklearn_model``.
    """

    __module__ = _PUBLIC
