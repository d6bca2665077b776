"""QuantizedModule: the integer graph of a model between quantizers, and its circuit."""

from fhe_estimators.core.quantized_module.module import CHEAPER_NETWORK, QuantizedModule
from fhe_estimators.core.quantized_module.rounding import (
    ROUNDINGS,
    RoundingOptions,
    deviation,
    labels_changed,
)
from fhe_estimators.core.quantized_module.search import BitSearch, fewest_bits

__all__ = [
    "CHEAPER_NETWORK",
    "ROUNDINGS",
    "BitSearch",
    "QuantizedModule",
    "RoundingOptions",
    "deviation",
    "fewest_bits",
    "labels_changed",
]
