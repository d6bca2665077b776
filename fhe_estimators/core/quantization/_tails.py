"""Input ranges that leave out long tails, where the outputs gain by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fhe_estimators.core.graph import Graph
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantization._calibration import InputRange
from fhe_estimators.core.quantization._inputs import input_quantizer

#: Parts of the distinct numbers of a feature that lie below the upper end of its range, and
#: above the lower one.
_PARTS = (1.0, 0.995, 0.99, 0.98, 0.97, 0.95, 0.9)
#: The error of outputs, in standard deviations, from which other ranges are looked at, and
#: the part of it that they have to come down to.
_ERRS, _LESS = 0.05, 0.5


def ranges_by_outputs(
    graph: Graph,
    inputs: Sequence[np.ndarray],
    bits: BitWidths,
    ranges: Sequence[InputRange] | None,
    error: Callable[[Any, Any], float],
) -> Sequence[InputRange] | None:
    """Return ranges of the inputs that make the outputs err much less than the usual ones.

    The usual range of a feature has the least expected error of the feature itself (see
    `InputRange.of`), which long tails dominate: a few rows that are far out count as much
    as all others. What outputs make of it is measured: numbers are rounded to the integers
    that a range leaves, the rest is computed in floating point, and of ranges that leave
    out more and more distinct numbers on either side that is taken which errs least. The
    usual ones stay if they err little, or if no other halves their error, since they alone
    have a margin for numbers that were not seen.

    Parameters
    ----------
    graph : Graph
        In floating point.
    inputs : sequence of ndarray of shape (n_samples, ...)
        Rows to choose by, and to judge by.
    bits : BitWidths
    ranges : sequence of InputRange or None
        The usual ones, None where they are those of `InputRange.of`.
    error : callable
        Tells how far outputs are from those in floating point, in standard deviations.

    Returns
    -------
    ranges : sequence of InputRange or None
        The usual ones, or others.
    """
    compute = NumpyModule(graph)

    def error_with(known: Sequence[InputRange | None]) -> float:
        rounded = []
        for value, rows, each in zip(graph.inputs, inputs, known, strict=True):
            quantizer = input_quantizer(graph, value.name, rows, bits, each)
            rounded.append(quantizer.dequant(quantizer.quant(rows)))
        found = error(compute(*rounded), exact)
        return np.inf if np.isnan(found) else found

    # What is not finite on the rows themselves has an error of its own, later.
    with np.errstate(all="ignore"):
        exact = compute(*inputs)
        usual = error_with([None] * len(inputs) if ranges is None else ranges)
        if not usual > _ERRS:
            return ranges
        of_inputs = [InputRange.of_most(rows, _PARTS) for rows in inputs]
        others = list(zip(*of_inputs, strict=True))
        errors = [error_with(other) for other in others]
    best = int(np.argmin(errors))
    return others[best] if errors[best] < _LESS * usual else ranges
