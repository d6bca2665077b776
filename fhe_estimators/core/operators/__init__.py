"""The operators: one class each, grouped by family.

Adding an operator is adding one class under `register` to the module of its family.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from fhe_estimators.core.operators import (  # noqa: F401  (importing registers)
    clear,
    comparison,
    contraction,
    convolution,
    elementwise,
    integer_arithmetic,
    layout,
    linear,
    ml_features,
    ml_kernels,
    ml_linear,
    ml_trees,
    normalization,
    norms,
    pooling,
    quantized,
    recurrent,
    reduction,
    resize,
    scatter,
    selection,
    slicing,
    table,
    transposed,
    univariate,
)
from fhe_estimators.core.operators._base import (
    Operand,
    QuantizedOp,
    as_array,
    is_newest,
    kinds_of,
    lookup,
    operators_of,
    registry,
    scratch,
    supported,
)
from fhe_estimators.core.operators._body import Writer

#: The float meaning of every operator.
ONNX_OPS_TO_NUMPY_IMPL: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {name: cls.f for name, cls in registry().items() if not cls.domain}
)
#: The class of every operator that has an encrypted form.
ONNX_OPS_TO_QUANTIZED_IMPL: Mapping[str, type[QuantizedOp]] = MappingProxyType(
    {name: cls for name, cls in registry().items() if cls.encrypted and not cls.domain}
)

__all__ = [
    "ONNX_OPS_TO_NUMPY_IMPL",
    "ONNX_OPS_TO_QUANTIZED_IMPL",
    "Operand",
    "QuantizedOp",
    "Writer",
    "as_array",
    "is_newest",
    "kinds_of",
    "lookup",
    "operators_of",
    "registry",
    "scratch",
    "supported",
]
