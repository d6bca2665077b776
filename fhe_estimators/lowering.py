"""The page: from a trained model to a quantized module, stage by stage.

Each stage is a function of its own: export (`fhe_estimators.export`), the float graph
(`fhe_estimators.numpy_module`), rewrites (`fhe_estimators.rewrite`), quantization
(`fhe_estimators.quantization`); the circuit is compiled by `QuantizedModule.compile`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fhe_estimators.graph import FLOAT, check
from fhe_estimators.numpy_module import NumpyModule
from fhe_estimators.operators import BitWidths, supported
from fhe_estimators.quantization import (
    InputRange,
    QuantizedModule,
    quantize,
)
from fhe_estimators.rewrite import clean, cut

if TYPE_CHECKING:
    from onnx import ModelProto


def to_quantized_module(
    model: ModelProto,
    calibration: Sequence[np.ndarray],
    bits: BitWidths,
    input_ranges: Sequence[InputRange] | None = None,
    sample_weight: np.ndarray | None = None,
) -> QuantizedModule:
    """Lower an ONNX model to integers.

    Parameters
    ----------
    model : onnx.ModelProto
    calibration : sequence of ndarray of shape (n_samples, ...)
        Representative rows of each input.
    bits : BitWidths
        See `fhe_estimators.quantization.resolve_n_bits`.
    input_ranges : sequence of InputRange, optional
        Ranges of the inputs, if known otherwise than from `calibration`.
    sample_weight : ndarray of shape (n_samples,), optional
        How much each row counts.

    Returns
    -------
    module : QuantizedModule
    """
    # The model as a float graph, without what needs no computation at all.
    graph = clean(NumpyModule(model).graph)
    # What follows the last product runs in clear, after decryption.
    encrypted, clear = cut(graph)
    # Only operators with an encrypted form may be left.
    check(encrypted, FLOAT, supported(encrypted=True))
    # Integers, with ranges that hold for any input.
    integers, inputs, outputs = quantize(
        encrypted, calibration, bits, input_ranges, sample_weight
    )
    return QuantizedModule(integers, inputs, outputs, NumpyModule(clear))
