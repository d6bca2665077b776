"""Engines: they turn integer graphs into programs that compute on encrypted rows.

`ConcreteEngine` encrypts with TFHE. `ClearEngine` has the same interface and encrypts
nothing: it checks, tensor by tensor, that no integer leaves the range that the graph
declares for it.
"""

from fhe_estimators.core.engine._clear import ClearEngine, ClearProgram
from fhe_estimators.core.engine._concrete import ConcreteEngine, ConcreteProgram
from fhe_estimators.core.engine._folders import remove_with
from fhe_estimators.core.engine._frames import Frame
from fhe_estimators.core.engine._native import (
    Cipher,
    Evaluator,
    Keys,
    generate_keys,
    keys_frame,
)
from fhe_estimators.core.engine._prices import Prices
from fhe_estimators.core.engine._program import (
    Engine,
    Facts,
    Integers,
    Program,
    run_clear,
)
from fhe_estimators.core.engine._selection import Selection
from fhe_estimators.core.engine._signals import interruptible
from fhe_estimators.core.engine._specification import SECURITY_BITS, Specification

__all__ = [
    "SECURITY_BITS",
    "Cipher",
    "ClearEngine",
    "ClearProgram",
    "ConcreteEngine",
    "ConcreteProgram",
    "Engine",
    "Evaluator",
    "Facts",
    "Frame",
    "Integers",
    "Keys",
    "Prices",
    "Program",
    "Selection",
    "Specification",
    "generate_keys",
    "interruptible",
    "keys_frame",
    "remove_with",
    "run_clear",
]
