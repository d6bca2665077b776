"""From integer graphs to encrypted computation: compile, keys, execution, cost."""

from fhe_estimators.core.circuit._bounds import extremes, is_additive
from fhe_estimators.core.circuit._circuit import Circuit
from fhe_estimators.core.circuit._cost import HOPELESS, Cost, check_affordable
from fhe_estimators.core.circuit._inputs import check_integers
from fhe_estimators.core.circuit._layers import Layer, LayerReport
from fhe_estimators.core.circuit._recombination import Recombination

__all__ = [
    "HOPELESS",
    "Circuit",
    "Cost",
    "Layer",
    "LayerReport",
    "Recombination",
    "check_affordable",
    "check_integers",
    "extremes",
    "is_additive",
]
