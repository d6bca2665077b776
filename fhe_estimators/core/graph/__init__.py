"""The intermediate representation: an immutable graph of ONNX operators.

A graph is *float* (as exported, see `fhe_estimators.core.numpy_module`) or *integer*
(what is encrypted, see `fhe_estimators.core.quantization`). Both have the same form; in an
integer graph every value carries its range.
"""

from fhe_estimators.core.graph._graph import (
    NEWEST_OPSET,
    Graph,
    Node,
    Value,
    bits_of_range,
    wraps,
)
from fhe_estimators.core.graph._interpret import as_tuple, evaluate
from fhe_estimators.core.graph._reach import known_without, needed_for
from fhe_estimators.core.graph._show import show
from fhe_estimators.core.graph._spec import ENCRYPTED, FLOAT, INTEGER, Spec, check

__all__ = [
    "ENCRYPTED",
    "FLOAT",
    "INTEGER",
    "NEWEST_OPSET",
    "Graph",
    "Node",
    "Spec",
    "Value",
    "as_tuple",
    "bits_of_range",
    "check",
    "evaluate",
    "known_without",
    "needed_for",
    "show",
    "wraps",
]
