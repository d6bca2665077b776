"""The kit that integer graphs are built with.

Operators append nodes to an `IntegerBuilder`; encrypted tensors know their ranges, and what
their integers stand for, while a graph is built.
"""

from fhe_estimators.core.integers.builder import (
    BitWidths,
    IntegerBuilder,
    RangeOf,
    Step,
    extent,
)
from fhe_estimators.core.integers.kept_bits import KeptBits
from fhe_estimators.core.integers.tensors import ClearIntegers, Encrypted, Grid

__all__ = [
    "BitWidths",
    "ClearIntegers",
    "Encrypted",
    "Grid",
    "IntegerBuilder",
    "KeptBits",
    "RangeOf",
    "Step",
    "extent",
]
