"""Sums of products over named axes."""

from __future__ import annotations

import numpy as np

from fhe_estimators.core.operators._base import QuantizedOp, register
from fhe_estimators.core.operators._body import Writer


def _terms(write: Writer) -> tuple[list[str], str]:
    """Return the letters of the axes of each operand, and of the result."""
    equation = str(write.attribute("equation")).replace(" ", "")
    left, _, right = equation.partition("->")
    operands = left.split(",")
    if "->" not in equation:
        letters = "".join(operands)
        right = "".join(sorted(x for x in set(letters) if letters.count(x) == 1))
    return operands, right


@register("Einsum", since=12)
class Einsum(QuantizedOp):
    """The sum of products over the axes that the result does not name."""

    encrypted = False
    holds_products = True

    @staticmethod
    def f(*operands, equation):
        return np.einsum(equation.replace(" ", ""), *operands)

    @staticmethod
    def body(write: Writer) -> str:
        """Sum and multiply matrices, between axes in another order.

        Of two operands ``a`` and ``b`` there are axes that both and the result have, those
        that are summed, and those of one operand: ``a`` becomes (batch, own, summed) and
        ``b`` (batch, summed, own).
        """
        terms, result = _terms(write)
        odd = any(len(set(term)) < len(term) or "." in term for term in terms)
        if odd or len(terms) > 2:
            raise write.unsupported(
                f"the equation {write.attribute('equation')!r}; served are one and two "
                "operands without ellipses and diagonals"
            )
        names = list(write.node.inputs)
        sizes = {
            letter: size
            for place, term in enumerate(terms)
            for letter, size in zip(term, write.shape(place), strict=True)
        }
        others = [{*result, *(terms[1 - k] if len(terms) > 1 else "")} for k in (0, 1)]
        for place, term in enumerate(terms):
            gone = [axis for axis, x in enumerate(term) if x not in others[place]]
            if gone:
                axes = write.integers(*gone)
                names[place] = write("ReduceSum", names[place], axes, keepdims=0)
                terms[place] = "".join(x for x in term if x in others[place])
        if len(terms) == 1:
            return _ordered(write, names[0], terms[0], result)
        if write.is_clear(0):
            names, terms = names[::-1], terms[::-1]
        a, b = terms
        batch = "".join(x for x in a if x in b and x in result)
        summed = "".join(x for x in a if x in b and x not in result)
        own = ["".join(x for x in term if x in result and x not in batch) for term in terms]
        # The axis of rows comes first, in the batch or in front of it.
        rows = a[0] if a[0] not in batch else ""
        left = own[0].replace(rows, "") if rows else own[0]
        names[0] = _grouped(write, names[0], a, [rows, batch, left, summed], sizes)
        names[1] = _grouped(write, names[1], b, ["", batch, summed, own[1]], sizes)
        product = write("MatMul", *names)
        order = rows + batch + left + own[1]
        shape = [-1 if sizes[x] is None else int(sizes[x] or 0) for x in order]
        return _ordered(
            write, write("Reshape", product, write.integers(*shape)), order, result
        )


def _ordered(write: Writer, x: str, term: str, wanted: str) -> str:
    if term == wanted:
        return write("Identity", x)
    return write("Transpose", x, perm=[term.index(letter) for letter in wanted])


def _grouped(
    write: Writer, x: str, term: str, groups: list[str], sizes: dict[str, int | None]
) -> str:
    """Return a tensor with its axes in groups: rows, batch, and two of a matrix."""
    x = _ordered(write, x, term, "".join(groups))
    rows, batch, *matrix = groups
    shape = [-1 if sizes[x] is None else int(sizes[x] or 0) for x in rows + batch]
    shape += [int(np.prod([sizes[x] or 0 for x in group])) for group in matrix]
    return write("Reshape", x, write.integers(*shape))
