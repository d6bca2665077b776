"""The operators of integer graphs that ONNX lacks: what programmable bootstraps do."""

from __future__ import annotations

import numpy as np

from fhe_estimators.core.graph import Graph, Node
from fhe_estimators.core.operators._base import QuantizedOp, register

#: The operator set of integer graphs, beyond ONNX's.
DOMAIN = "fhe_estimators"


@register("TableLookup", since=1)
class TableLookup(QuantizedOp):
    """``table[(x - first + 2**lsbs // 2) >> lsbs]``, element by element.

    A table of shape (size,) serves every element; one of shape (size, ...) holds a table
    for each element of a row, where an axis of size one stands for all along it. The
    `lsbs` lowest bits are rounded away first. Computed on encrypted integers, that is
    exact and takes a bootstrap for each of them; if `approximate`, it takes none, and an
    integer that lies between two entries may get either.

    If `wraps` is not zero, a table has ``n``, a power of two, entries, the first `wraps` of
    them for integers that are likely. It is read at any integer: its entries repeat with
    the opposite sign, ``table[i + n] = -table[i]``. So a programmable
    bootstrap reads what is too wide for it, since it computes with polynomials modulo
    ``X**N + 1`` [1]_.

    References
    ----------
    .. [1] I. Chillotti, M. Joye, P. Paillier, "Programmable Bootstrapping Enables Efficient
       Homomorphic Inference of Deep Neural Networks", CSCML 2021.
    """

    integer = True
    domain = DOMAIN
    bootstraps = True

    @staticmethod
    def f(x, table, *, first=0, lsbs=0, approximate=0, wraps=0):
        # Clear integers may be held as floats, see QuantizedModule.
        index = np.asarray(x - first).astype(np.int64, copy=False)
        if lsbs:
            index = (index + (1 << (lsbs - 1))) >> lsbs
        if wraps:
            turns, index = np.divmod(index, len(table))
        if table.ndim == 1:
            found = table[index]
        else:
            found = np.take_along_axis(table, index, axis=0)
        if wraps:
            found = np.where(turns & 1, -found, found)
        return found.astype(np.asarray(x).dtype, copy=False)

    @classmethod
    def table_bits(cls, node: Node, graph: Graph) -> int:
        """Return the bits of the places in the table."""
        return max(1, (len(graph.constants[node.inputs[1]]) - 1).bit_length())

    @classmethod
    def removed_bits(cls, node: Node) -> int:
        """Return how many bits are rounded away exactly."""
        exact = not node.attributes.get("approximate")
        return int(node.attributes.get("lsbs", 0)) if exact else 0


@register("ExtractBits", since=1)
class ExtractBits(QuantizedOp):
    """The number that the bits `start` to ``stop - 1`` of a number form, lowest first."""

    integer = True
    domain = DOMAIN
    bootstraps = True

    @staticmethod
    def f(x, *, start, stop):
        number = np.asarray(x).astype(np.int64, copy=False)
        digit = (number >> start) & ((1 << (stop - start)) - 1)
        return digit.astype(np.asarray(x).dtype, copy=False)

    @classmethod
    def table_bits(cls, node: Node, graph: Graph) -> int:
        """Return the bits of the number."""
        return graph.value(node.inputs[0]).bits or 0
