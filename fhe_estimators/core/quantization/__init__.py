"""Quantization: bits, ranges, and integer graphs from float graphs."""

from fhe_estimators.core.quantization._bits import (
    MAXIMUM_N_BITS,
    check_n_bits,
    resolve_n_bits,
)
from fhe_estimators.core.quantization._calibration import InputRange, image
from fhe_estimators.core.quantization._finite import check_finite_rows
from fhe_estimators.core.quantization._post_training import PostTraining, one_row, quantize
from fhe_estimators.core.quantization._ranges import CALIBRATIONS
from fhe_estimators.core.quantization._tails import ranges_by_outputs
from fhe_estimators.core.quantization._uniform import QuantizedArray, UniformQuantizer

__all__ = [
    "CALIBRATIONS",
    "MAXIMUM_N_BITS",
    "InputRange",
    "PostTraining",
    "QuantizedArray",
    "UniformQuantizer",
    "check_finite_rows",
    "check_n_bits",
    "image",
    "one_row",
    "quantize",
    "ranges_by_outputs",
    "resolve_n_bits",
]
