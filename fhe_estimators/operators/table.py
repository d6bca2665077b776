"""The operators of integer graphs that ONNX lacks: what programmable bootstraps do."""

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
    standard = False

    def f(x, table, *, first=0):
        # Clear integers may be held as floats, see QuantizedModule.
        index = np.asarray(x - first).astype(np.int64, copy=False)
        if table.ndim == 1:
            found = table[index]
        else:
            found = np.take_along_axis(table, index, axis=0)
        return found.astype(np.asarray(x).dtype, copy=False)


@register("ExtractBits", since=1)
class ExtractBits(QuantizedOp):
    """The number that the bits `start` to ``stop - 1`` of a number form, lowest first."""

    integer = True
    standard = False

    def f(x, *, start, stop):
        number = np.asarray(x).astype(np.int64, copy=False)
        digit = (number >> start) & ((1 << (stop - start)) - 1)
        return digit.astype(np.asarray(x).dtype, copy=False)
