"""From integer graphs to encrypted computation: compile, keys, execution, cost."""

from fhe_estimators.core.circuit._bounds import is_additive
from fhe_estimators.core.circuit._circuit import Circuit
from fhe_estimators.core.circuit._cost import Cost
from fhe_estimators.core.circuit._inputs import check_integers

__all__ = ["Circuit", "Cost", "check_integers", "is_additive"]
