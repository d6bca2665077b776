"""The one operator of integer graphs that ONNX lacks: a programmable bootstrap."""

from __future__ import annotations

import numpy as np

from fhe_estimators.operators._base import QuantizedOp, register


@register("TableLookup", since=1)
class TableLookup(QuantizedOp):
    """``table[x - first]``, element by element.

    A table of shape (size,) serves every element; one of shape (size, ...) holds a table
    for each element of a row.
    """

    integer = True

    def f(x, table, *, first=0):
        index = x - first
        if table.ndim == 1:
            return table[index]
        return np.take_along_axis(table, index, axis=0)
