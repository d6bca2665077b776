"""Functions of several tensors, element by element.

With one encrypted operand, or several that are computed from the same integer tensor,
they become part of one table. The affine ones of a constant cost nothing at all: they
change how integers are read, not the integers.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from fhe_estimators.operators._base import Operand, QuantizedOp, register
from fhe_estimators.operators._builder import IntegerBuilder
from fhe_estimators.operators._encrypted import Encrypted


class Elementwise(QuantizedOp):
    """Family base: operands broadcast against each other."""

    def can_fuse(self, operands: Sequence[Operand]) -> bool:
        """Tell whether all encrypted operands come from one integer tensor."""
        return len({x.name for x in operands if isinstance(x, Encrypted)}) == 1

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Extend the pending function of the one integer tensor, or fold it away."""
        if not self.can_fuse(operands):
            raise self.unsupported(
                "its operands come from different encrypted tensors; it is served where "
                "all of them are computed from the same one"
            )
        first = next(x for x in operands if isinstance(x, Encrypted))
        for operand in operands:
            array = operand.low if isinstance(operand, Encrypted) else np.asarray(operand)
            shape = array.shape
            if np.broadcast_shapes(shape, first.shape) != first.shape:
                raise self.unsupported(
                    f"it broadcasts an encrypted tensor of shape {first.shape} against "
                    f"{shape}"
                )
        folded = self.fold(operands)
        if folded is not None:
            return folded
        # Each operand as a function of the one source. `first` gives the source, hence
        # its own pending function must not be applied twice.
        if any(
            not np.array_equal(x.scale, first.scale)
            or not np.array_equal(x.offset, first.offset)
            for x in operands
            if isinstance(x, Encrypted)
        ):
            operands = [
                _reread(x, first) if isinstance(x, Encrypted) else x for x in operands
            ]

        def function(real: np.ndarray) -> np.ndarray:
            arguments = [x.apply(real) if isinstance(x, Encrypted) else x for x in operands]
            return self(*arguments)

        return Encrypted(
            first.name,
            first.scale,
            first.offset,
            first.low,
            first.high,
            function,
        )

    def fold(self, operands: Sequence[Operand]) -> Encrypted | None:
        """Return the result if it is an affine function of one operand, else None."""
        return None


def _reread(x: Encrypted, source: Encrypted) -> Encrypted:
    """Return `x` as a function of the real numbers that `source` reads."""
    factor = x.scale / source.scale
    shift = x.offset - source.offset * factor
    plain = Encrypted(x.name, source.scale, source.offset, x.low, x.high)
    return plain.then(lambda real: x.apply(factor * real + shift))


def _affine(operands: Sequence[Operand]) -> tuple[int, Encrypted, Any] | None:
    """Return the place of the only encrypted operand, that operand and the constant."""
    a, b = operands
    if isinstance(a, Encrypted) and not isinstance(b, Encrypted) and a.function is None:
        return 0, a, b
    if isinstance(b, Encrypted) and not isinstance(a, Encrypted) and b.function is None:
        return 1, b, a
    return None


@register("Add", since=13)
class Add(Elementwise):
    """``a + b``."""

    integer = True

    def f(a, b):
        return a + b

    def fold(self, operands: Sequence[Operand]) -> Encrypted | None:
        """Fold a constant into the offset."""
        affine = _affine(operands)
        return None if affine is None else affine[1].scaled(np.ones(1), affine[2])


@register("Sub", since=13)
class Sub(Elementwise):
    """``a - b``."""

    integer = True

    def f(a, b):
        return a - b

    def fold(self, operands: Sequence[Operand]) -> Encrypted | None:
        """Fold a constant into the offset."""
        affine = _affine(operands)
        if affine is None:
            return None
        place, x, constant = affine
        sign = -np.ones(1) if place else np.ones(1)
        return x.scaled(sign, -sign * constant)


@register("Mul", since=13)
class Mul(Elementwise):
    """``a * b``."""

    def f(a, b):
        return a * b

    def fold(self, operands: Sequence[Operand]) -> Encrypted | None:
        """Fold a constant without zeros into the scale."""
        affine = _affine(operands)
        if affine is None or not np.all(affine[2]):
            return None
        return affine[1].scaled(affine[2], np.zeros(1))


@register("Div", since=13)
class Div(Elementwise):
    """``a / b``; towards zero for integers."""

    def f(a, b):
        if np.asarray(a).dtype.kind in "iu" and np.asarray(b).dtype.kind in "iu":
            return np.trunc(a / b).astype(np.asarray(a).dtype)
        return a / b

    def fold(self, operands: Sequence[Operand]) -> Encrypted | None:
        """Fold a constant divisor into the scale."""
        affine = _affine(operands)
        if affine is None or affine[0] == 1 or not np.all(affine[2]):
            return None
        return affine[1].scaled(1 / np.asarray(affine[2], float), np.zeros(1))


@register("Neg", since=13)
class Neg(Elementwise):
    """``-x``."""

    def f(x):
        return -x

    def fold(self, operands: Sequence[Operand]) -> Encrypted | None:
        """Fold the sign into the scale."""
        (x,) = operands
        assert isinstance(x, Encrypted)
        return x.scaled(-np.ones(1), np.zeros(1)) if x.function is None else None


@register("Pow", since=13)
class Pow(Elementwise):
    """``a ** b``, in the type of ``a``."""

    def f(a, b):
        return np.power(a, b).astype(np.asarray(a).dtype)


@register("Equal", since=13)
class Equal(Elementwise):
    """``a == b``."""

    def f(a, b):
        return np.equal(a, b)


@register("Greater", since=13)
class Greater(Elementwise):
    """``a > b``."""

    def f(a, b):
        return np.greater(a, b)


@register("GreaterOrEqual", since=12)
class GreaterOrEqual(Elementwise):
    """``a >= b``."""

    def f(a, b):
        return np.greater_equal(a, b)


@register("Less", since=13)
class Less(Elementwise):
    """``a < b``."""

    def f(a, b):
        return np.less(a, b)


@register("LessOrEqual", since=12)
class LessOrEqual(Elementwise):
    """``a <= b``."""

    def f(a, b):
        return np.less_equal(a, b)


@register("And", since=7)
class And(Elementwise):
    """Both."""

    def f(a, b):
        return np.logical_and(a, b)


@register("Or", since=7)
class Or(Elementwise):
    """Either."""

    def f(a, b):
        return np.logical_or(a, b)


@register("Not", since=1)
class Not(Elementwise):
    """The opposite."""

    def f(x):
        return np.logical_not(x)


@register("PRelu", since=9)
class PRelu(Elementwise):
    """``x`` where positive, else ``slope * x``."""

    def f(x, slope):
        return np.where(x < 0, slope * x, x)


@register("Where", since=9)
class Where(Elementwise):
    """``a`` where the condition holds, else ``b``."""

    def f(condition, a, b):
        return np.where(condition, a, b)


@register("Xor", since=7)
class Xor(Elementwise):
    """One of them, not both."""

    def f(a, b):
        return np.logical_xor(a, b)


@register("Mod", since=13)
class Mod(Elementwise):
    """The remainder of ``a / b``: with the sign of ``b``, or of ``a`` if `fmod`."""

    def f(a, b, *, fmod=0):
        return np.fmod(a, b) if fmod else np.mod(a, b)


@register("Max", since=13)
class Max(Elementwise):
    """The largest of the tensors."""

    def f(*tensors):
        return functools.reduce(np.maximum, tensors)


@register("Min", since=13)
class Min(Elementwise):
    """The smallest of the tensors."""

    def f(*tensors):
        return functools.reduce(np.minimum, tensors)


@register("Sum", since=13)
class Sum(Elementwise):
    """The sum of the tensors."""

    def f(*tensors):
        return functools.reduce(np.add, tensors)


@register("Mean", since=13)
class Mean(Elementwise):
    """The mean of the tensors."""

    def f(*tensors):
        return functools.reduce(np.add, tensors) / tensors[0].dtype.type(len(tensors))
