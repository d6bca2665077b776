"""The operators: one class each, grouped by family.

Adding an operator is adding one class under `register` to the module of its family.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from fhe_estimators.core.operators import (  # noqa: F401  (importing registers)
    clear,
    convolution,
    elementwise,
    layout,
    linear,
    normalization,
    pooling,
    quantized,
    reduction,
    slicing,
    table,
    univariate,
)
from fhe_estimators.core.operators._base import (
    Operand,
    QuantizedOp,
    as_array,
    lookup,
    operators_of,
    registry,
    supported,
)
from fhe_estimators.core.operators.table import removed_bits, table_bits

#: The float meaning of every operator.
ONNX_OPS_TO_NUMPY_IMPL: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {name: cls.f for name, cls in registry().items() if not cls.domain}
)
#: The class of every operator that has an encrypted form.
ONNX_OPS_TO_QUANTIZED_IMPL: Mapping[str, type[QuantizedOp]] = MappingProxyType(
    {name: cls for name, cls in registry().items() if cls.encrypted and not cls.domain}
)

#: Operators of integer graphs that take bootstraps.
BOOTSTRAPPED = frozenset(
    name for name, cls in registry().items() if cls.domain == table.DOMAIN
)

__all__ = [
    "BOOTSTRAPPED",
    "ONNX_OPS_TO_NUMPY_IMPL",
    "ONNX_OPS_TO_QUANTIZED_IMPL",
    "Operand",
    "QuantizedOp",
    "as_array",
    "lookup",
    "operators_of",
    "registry",
    "removed_bits",
    "supported",
    "table_bits",
]
