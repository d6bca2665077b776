"""Quantizers, quantized modules and operators, for use by themselves.

The face of what the documentation of the core describes: see `fhe_estimators.core`.
"""

from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import (
    ONNX_OPS_TO_NUMPY_IMPL,
    ONNX_OPS_TO_QUANTIZED_IMPL,
    QuantizedOp,
)
from fhe_estimators.core.quantization import QuantizedArray, UniformQuantizer
from fhe_estimators.core.quantized_module import QuantizedModule

__all__ = [
    "ONNX_OPS_TO_NUMPY_IMPL",
    "ONNX_OPS_TO_QUANTIZED_IMPL",
    "NumpyModule",
    "QuantizedArray",
    "QuantizedModule",
    "QuantizedOp",
    "UniformQuantizer",
]
