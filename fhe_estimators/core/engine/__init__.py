"""Engines: they turn integer graphs into programs that compute on encrypted rows.

`ConcreteEngine` encrypts with TFHE. `ClearEngine` has the same interface and encrypts
nothing: it checks, tensor by tensor, that no integer leaves the range that the graph
declares for it.
"""

from fhe_estimators.core.engine._clear import ClearEngine, ClearProgram
from fhe_estimators.core.engine._concrete import ConcreteEngine, ConcreteProgram
from fhe_estimators.core.engine._prices import Prices
from fhe_estimators.core.engine._program import (
    Engine,
    Facts,
    Integers,
    Program,
    run_clear,
)
from fhe_estimators.core.engine._signals import interruptible

__all__ = [
    "ClearEngine",
    "ClearProgram",
    "ConcreteEngine",
    "ConcreteProgram",
    "Engine",
    "Facts",
    "Integers",
    "Prices",
    "Program",
    "interruptible",
    "run_clear",
]
