"""Rows, their classes and the range of features as a quantized module."""

from __future__ import annotations

import numpy as np

from fhe_estimators.core.graph import Graph, Value
from fhe_estimators.core.nearest._forms import Forms
from fhe_estimators.core.nearest._plan import Plan, plan
from fhe_estimators.core.nearest._regions import seen
from fhe_estimators.core.nearest._votes import vote_graph
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantization import InputRange, UniformQuantizer
from fhe_estimators.core.quantized_module import QuantizedModule

__all__ = ["votes_module"]

#: Bits by which differences of scores are wider than integers of rows.
_FINER = 5
_NOTHING = (
    "rows of one class are the nearest everywhere in the range of the features, as finely "
    "as they are quantized. Set a larger n_bits, or reveal='distances'."
)
#: By how much scores are rounded more coarsely until their differences fit, at least.
_COARSER, _N_TRIED = 0.97, 40


def votes_module(
    rows: np.ndarray,
    classes: np.ndarray,
    n_neighbors: int,
    input_range: InputRange,
    n_bits: int,
) -> QuantizedModule:
    """Return what computes the share of each class among the nearest rows.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
    classes : ndarray of int64 of shape (n_rows,)
        From zero on, at least two of them.
    n_neighbors : int
        Below n_rows.
    input_range : InputRange
        Of features.
    n_bits : int
        Of encrypted numbers. Differences of scores have five more.

    Raises
    ------
    ValueError
        If rows of one class are the nearest everywhere in the range.
    """
    quantizer, forms = forms_of(rows, input_range, n_bits)
    found, what = _fitting(forms, classes, n_neighbors, n_bits + _FINER)
    graph = vote_graph(found, what, classes, n_neighbors, n_bits + _FINER)
    shares = UniformQuantizer(n_neighbors.bit_length(), scale=1 / n_neighbors, zero_point=0)
    ends = Value("shares", (None, graph.outputs[0].row_size))
    nothing = NumpyModule(Graph((), (ends,), (ends,)))
    return QuantizedModule(graph, [quantizer], [shares], nothing)


def forms_of(
    rows: np.ndarray, input_range: InputRange, n_bits: int
) -> tuple[UniformQuantizer, Forms]:
    """Return the quantizer of features, and the forms of rows on its integers."""
    quantizer = UniformQuantizer(n_bits, signed=True)
    quantizer.fit_range(input_range.low[np.newaxis], input_range.high[np.newaxis])
    quantizer.expect(rows)
    scale, zero, low, high = (
        np.broadcast_to(part, (1, rows.shape[1]))[0]
        for part in (quantizer.scale, quantizer.zero_point, *quantizer.bounds)
    )
    return quantizer, Forms.of(rows, scale, -scale * zero, low, high)


def _fitting(
    forms: Forms, classes: np.ndarray, n_neighbors: int, n_bits: int
) -> tuple[Forms, Plan]:
    """Return forms as fine as the differences that are needed leave them, and these."""
    most = (1 << (n_bits - 1)) - 1
    widest = 0.0
    if n_neighbors == 1:
        # Which pairs are needed is guessed before it is known.
        widest = _widest(forms, *_places(seen(forms)))
    if widest == 0:  # rows that are the same are in each other's way
        widest = _widest(forms, *_places(np.ones((len(forms), len(forms)), bool)))
    if widest == 0:
        raise ValueError(_NOTHING)
    factor = most / widest
    for _ in range(_N_TRIED):
        found = forms.rounded(factor)
        what = plan(found, classes, n_neighbors)
        if not len(what.first):
            break
        widest = _widest(found, what.first, what.second)
        if widest <= most:
            return found, what
        factor *= min(_COARSER, most / widest)
    raise ValueError(_NOTHING)


def _places(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of pairs, the first before the second."""
    first, second = np.nonzero(np.triu(pairs, 1))
    return first, second


def _widest(forms: Forms, first: np.ndarray, second: np.ndarray) -> float:
    """Return the largest difference of scores there can be, without its sign."""
    lowest, highest = forms.differences(first, second).reach()
    return float(max(-lowest.min(), highest.max()))
