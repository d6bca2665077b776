"""Quantization: from float graphs to integer graphs."""

from fhe_estimators.numpy_module import NumpyModule
from fhe_estimators.operators import (
    ONNX_OPS_TO_NUMPY_IMPL,
    ONNX_OPS_TO_QUANTIZED_IMPL,
    QuantizedOp,
)
from fhe_estimators.quantization._bits import check_n_bits, resolve_n_bits
from fhe_estimators.quantization._calibration import InputRange, image
from fhe_estimators.quantization._finite import check_finite_rows
from fhe_estimators.quantization._grid import BINNINGS, Grid
from fhe_estimators.quantization._layers import Layer, LayerReport
from fhe_estimators.quantization._module import QuantizedModule
from fhe_estimators.quantization._post_training import quantize
from fhe_estimators.quantization._ranges import CALIBRATIONS
from fhe_estimators.quantization._rounding import (
    ROUNDINGS,
    RoundingOptions,
    deviation,
    fewest_bits,
)
from fhe_estimators.quantization._trees import TreeGraphs, TreeOptions
from fhe_estimators.quantization._uniform import QuantizedArray, UniformQuantizer

__all__ = [
    "BINNINGS",
    "CALIBRATIONS",
    "ONNX_OPS_TO_NUMPY_IMPL",
    "ONNX_OPS_TO_QUANTIZED_IMPL",
    "ROUNDINGS",
    "Grid",
    "InputRange",
    "Layer",
    "LayerReport",
    "NumpyModule",
    "QuantizedArray",
    "QuantizedModule",
    "QuantizedOp",
    "RoundingOptions",
    "TreeGraphs",
    "TreeOptions",
    "UniformQuantizer",
    "check_finite_rows",
    "check_n_bits",
    "deviation",
    "fewest_bits",
    "image",
    "quantize",
    "resolve_n_bits",
]
