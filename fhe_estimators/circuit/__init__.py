"""From integer graphs to encrypted computation: compile, keys, execution, cost."""

from fhe_estimators.circuit._bounds import is_additive
from fhe_estimators.circuit._circuit import Circuit

__all__ = ["Circuit", "is_additive"]
