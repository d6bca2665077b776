"""The page: from a trained model to a quantized module, stage by stage.

Each stage is a room of its own, or a module: `fhe_estimators.core.frontends` reads and
writes models, `numpy_module` holds the float graph, `rewrite` and `trees` change it,
`quantization` gives integers; the circuit is compiled by `QuantizedModule.compile`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.engine import ConcreteEngine
from fhe_estimators.core.graph import ENCRYPTED, check
from fhe_estimators.core.integers import BitWidths, Rounding
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import supported
from fhe_estimators.core.quantization import (
    CALIBRATIONS,
    InputRange,
    check_finite_rows,
    image,
    quantize,
)
from fhe_estimators.core.quantized_module import (
    QuantizedModule,
    RoundingOptions,
    deviation,
    fewest_bits,
)
from fhe_estimators.core.rewrite import clean, cut, split_prologue
from fhe_estimators.core.trees import TreeGraphs, TreeOptions, recognize
from fhe_estimators.core.validation import check_p_error

if TYPE_CHECKING:
    from onnx import ModelProto


def to_quantized_module(
    model: ModelProto,
    calibration: Sequence[np.ndarray],
    bits: BitWidths,
    input_ranges: Sequence[InputRange] | None = None,
    sample_weight: np.ndarray | None = None,
    trees: TreeOptions = TreeOptions(),  # noqa: B008  (it is frozen)
    *,
    calibration_method: str = "minmax",
    rounding: RoundingOptions = RoundingOptions(),  # noqa: B008
    p_error: float = 2**-64,
) -> QuantizedModule:
    """Lower an ONNX model to integers.

    Parameters
    ----------
    model : onnx.ModelProto
    calibration : sequence of ndarray of shape (n_samples, ...)
        Representative rows of each input.
    bits : BitWidths
        See `fhe_estimators.core.quantization.resolve_n_bits`.
    input_ranges : sequence of InputRange, optional
        Ranges of the inputs, if known otherwise than from `calibration`.
    sample_weight : ndarray of shape (n_samples,), optional
        How much each row counts; one of weight zero is as good as absent.
    trees : TreeOptions, optional
        How a tree ensemble, if the model is one, is quantized.
    calibration_method : {'minmax', 'least_error'}, default='minmax'
        How the ranges of results of tables are chosen.
    rounding : RoundingOptions, optional
        How accumulators are rounded in front of tables.
    p_error : float, default=2**-64
        At which costs are compared.

    Returns
    -------
    module : QuantizedModule
    """
    p_error = check_p_error(p_error, "to_quantized_module")
    if sample_weight is not None:
        counts = sample_weight > 0
        if not counts.all():
            calibration = [rows[counts] for rows in calibration]
            sample_weight = sample_weight[counts]
    # The model as a float graph, without what needs no computation at all.
    graph = clean(NumpyModule(model).graph)
    # A tree ensemble is a sum of table look-ups.
    found = recognize(graph)
    if found is not None:
        ensemble, clear = found
        prices = ConcreteEngine().prices(p_error)
        graphs = TreeGraphs(ensemble, calibration[0], trees, sample_weight, prices)
        integers, decoder = graphs.default()
        end = NumpyModule(clear)
        return QuantizedModule(
            integers, [graphs.encoder], [decoder], end, alternatives=graphs
        )
    # What follows the last product runs in clear, after decryption.
    encrypted, clear = cut(graph)
    # What precedes the first product runs in clear, too, before encryption.
    prologue, encrypted = split_prologue(encrypted)
    start = NumpyModule(prologue) if prologue.nodes else None
    given = calibration
    if start is not None:
        # What is infinite on the way may be finite again; what stays so is an error.
        with np.errstate(all="ignore"):
            tensors = start.intermediates(*calibration)
        encoded = [value.name for value in start.graph.outputs]
        check_finite_rows(start.graph, tensors, encoded)
        if input_ranges is None:
            input_ranges = [
                InputRange.of(rows, bits.op_inputs, sample_weight) for rows in calibration
            ]
        input_ranges = image(start.outputs, calibration, input_ranges, sample_weight)
        calibration = [tensors[name] for name in encoded]
    # Only operators with an encrypted form may be left.
    check(encrypted, ENCRYPTED, supported(encrypted=True))
    # Integers, with ranges that hold for any input.
    end = NumpyModule(clear)

    def quantized(how: Rounding) -> QuantizedModule:
        parts = quantize(
            encrypted,
            calibration,
            bits,
            input_ranges,
            sample_weight,
            CALIBRATIONS[calibration_method],
            how,
        )
        return QuantizedModule(*parts, end, prologue=start)

    # Fewer bits in front of the tables, as few as accuracy allows.
    exact = functools.cache(lambda: NumpyModule(encrypted)(*calibration))
    return fewest_bits(
        quantized,
        rounding,
        lambda module: deviation(module.scores(*given), exact()),
        lambda module: Circuit(module.graph, p_error=p_error).complexity,
    )
