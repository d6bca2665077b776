"""Functions of several tensors, element by element.

With one encrypted operand, or several that are computed from the same integer tensor,
they become part of one table. The affine ones of a constant cost nothing at all: they
change how integers are read, not the integers. For different encrypted tensors see
`fhe_estimators.core.integers.arithmetic`.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fhe_estimators.core.graph import Graph, Node
from fhe_estimators.core.integers import arithmetic
from fhe_estimators.core.integers.builder import IntegerBuilder
from fhe_estimators.core.integers.layout import expand
from fhe_estimators.core.integers.tensors import Encrypted
from fhe_estimators.core.operators._base import Operand, QuantizedOp, register


class Elementwise(QuantizedOp):
    """Family base: operands broadcast against each other."""

    aligned = True
    pointwise = True

    def can_fuse(self, operands: Sequence[Operand]) -> bool:
        """Tell whether all encrypted operands come from one integer tensor."""
        return len({x.name for x in operands if isinstance(x, Encrypted)}) == 1

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Extend the pending function of one integer tensor, or combine several."""
        shape = self._shape(operands)
        if not self.can_fuse(operands):
            return self.combine(self._covering(operands, shape, builder), builder)
        narrow = [x for x in operands if isinstance(x, Encrypted) and x.shape != shape]
        if narrow and len(narrow) > 1:
            raise self.unsupported(
                f"it broadcasts several functions of one tensor of shape {narrow[0].shape} "
                f"to {shape}"
            )
        operands = [
            self._expanded(place, x, shape, builder) if isinstance(x, Encrypted) else x
            for place, x in enumerate(operands)
        ]
        folded = self.fold(operands)
        return self.fused(operands) if folded is None else folded

    def _shape(self, operands: Sequence[Operand]) -> tuple[int, ...]:
        """Return the shape of a row of the result; raise if rows are broadcast."""
        encrypted = [x.shape for x in operands if isinstance(x, Encrypted)]
        clear = [np.shape(x) for x in operands if not isinstance(x, Encrypted)]  # type: ignore[arg-type]
        shape = np.broadcast_shapes(*encrypted, *clear)
        if any(len(other) < len(shape) for other in encrypted) or shape[0] != 1:
            raise self.unsupported(
                f"it broadcasts an encrypted tensor of shape {encrypted[0]} against "
                f"{', '.join(map(str, (*encrypted[1:], *clear)))}, and the first axis "
                "holds rows"
            )
        return shape

    def _covering(
        self, operands: Sequence[Operand], shape: tuple[int, ...], builder: IntegerBuilder
    ) -> list[Operand]:
        """Return the operands, one of them expanded if a clear one has more elements."""
        covering = list(operands)
        encrypted = [(k, x) for k, x in enumerate(operands) if isinstance(x, Encrypted)]
        if np.broadcast_shapes(*(x.shape for _, x in encrypted)) != shape:
            place, x = encrypted[0]
            covering[place] = self._expanded(place, x, shape, builder)
        return covering

    def _expanded(
        self, place: int, x: Encrypted, shape: tuple[int, ...], builder: IntegerBuilder
    ) -> Encrypted:
        if x.shape == shape:
            return x
        # A function of few elements is cheaper than one of many.
        name = self.node.inputs[place]
        return expand(builder, builder.materialize(x, name), shape, f"{name}.expanded")

    def fused(self, operands: Sequence[Operand]) -> Encrypted:
        """Return the result as a function of the one integer tensor."""
        first = next(x for x in operands if isinstance(x, Encrypted))
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

        return replace(first, function=function)

    def combine(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Return the result for several encrypted tensors: one table of all of them."""
        arrays = list(map(as_tensor, operands))
        return arithmetic.joint(
            builder, self, arrays, self.node.inputs, self.node.outputs[0]
        )

    def on_one_scale(
        self,
        operands: Sequence[Operand],
        builder: IntegerBuilder,
        n_bits: int | None = None,
    ) -> list[Encrypted]:
        """Return the encrypted operands, without pending functions, on one scale."""
        pairs = zip(operands, self.node.inputs, strict=True)
        encrypted = [(x, name) for x, name in pairs if isinstance(x, Encrypted)]
        tensors, names = zip(*encrypted, strict=True)
        return arithmetic.on_one_scale(builder, tensors, names, n_bits)

    def fold(self, operands: Sequence[Operand]) -> Encrypted | None:
        """Return the result if it is an affine function of one operand, else None."""
        return None


def as_tensor(x: Operand) -> Encrypted | np.ndarray:
    """Return clear numbers as an array, an encrypted tensor unchanged."""
    return x if isinstance(x, Encrypted) else np.asarray(x)


def _reread(x: Encrypted, source: Encrypted) -> Encrypted:
    """Return `x` as a function of the real numbers that `source` reads."""
    factor = x.scale / source.scale
    shift = x.offset - source.offset * factor
    plain = Encrypted(x.name, source.scale, source.offset, x.low, x.high)
    return plain.then(lambda real: x.apply(factor * real + shift))


def _affine(operands: Sequence[Operand]) -> tuple[int, Encrypted, Any] | None:
    """Return index and value of the one encrypted operand, and the clear one; or None."""
    a, b = operands
    if isinstance(a, Encrypted) and not isinstance(b, Encrypted) and a.function is None:
        return 0, a, b
    if isinstance(b, Encrypted) and not isinstance(a, Encrypted) and b.function is None:
        return 1, b, a
    return None


class Affine(Elementwise):
    """Family base: an affine function of one operand where the other one is clear."""

    @classmethod
    def is_free(cls, node: Node, clear: Collection[str]) -> bool:
        """Tell whether an operand is clear."""
        return any(name in clear for name in node.inputs)


@register("Add", since=7)
class Add(Affine):
    """``a + b``."""

    adds = True
    integer = True

    @staticmethod
    def f(a, b):
        return a + b

    def fold(self, operands: Sequence[Operand]) -> Encrypted | None:
        """Fold a constant into the offset."""
        affine = _affine(operands)
        return None if affine is None else affine[1].scaled(np.ones(1), affine[2])

    def combine(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Add integers on one scale."""
        a, b = self.on_one_scale(operands, builder)
        return arithmetic.add(builder, a, b, self.node.outputs[0])


@register("Sub", since=7)
class Sub(Affine):
    """``a - b``."""

    adds = True
    integer = True

    @staticmethod
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

    def combine(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Subtract integers on one scale."""
        a, b = self.on_one_scale(operands, builder)
        return arithmetic.subtract(builder, a, b, self.node.outputs[0])


@register("Mul", since=7)
class Mul(Affine):
    """``a * b``."""

    integer = True

    @staticmethod
    def f(a, b):
        return a * b

    @classmethod
    def noise_factor(cls, node: Node, graph: Graph) -> float:
        """Return the largest magnitude of the clear factor."""
        clear = [graph.constants[name] for name in node.inputs if name in graph.constants]
        return float(np.abs(clear[0]).max(initial=1)) if clear else 1.0

    def fold(self, operands: Sequence[Operand]) -> Encrypted | None:
        """Fold a constant without zeros into the scale."""
        affine = _affine(operands)
        if affine is None or not np.all(affine[2]):
            return None
        return affine[1].scaled(affine[2], np.zeros(1))

    def combine(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Look products up, or combine two squares: whichever is cheaper."""
        widths = [
            arithmetic.narrow_width(builder, x, name)
            for x, name in zip(operands, self.node.inputs, strict=True)
            if isinstance(x, Encrypted)
        ]
        # One table of all bits, against two tables of one bit more than the wider one has.
        if sum(widths) <= max(widths) + 2:
            return super().combine(operands, builder)
        # The tables read one bit more than the operands have.
        a, b = self.on_one_scale(operands, builder, builder.bits.op_inputs + 1)
        return arithmetic.multiply(builder, a, b, self.node.outputs[0])


@register("Div", since=7)
class Div(Affine):
    """``a / b``; towards zero for integers."""

    @classmethod
    def is_free(cls, node: Node, clear: Collection[str]) -> bool:
        """Tell whether the divisor is clear."""
        return node.inputs[1] in clear

    @staticmethod
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


@register("Neg", since=6)
class Neg(Elementwise):
    """``-x``."""

    free = True

    @staticmethod
    def f(x):
        return -x

    def fold(self, operands: Sequence[Operand]) -> Encrypted | None:
        """Fold the sign into the scale."""
        (x,) = operands
        assert isinstance(x, Encrypted)
        return x.scaled(-np.ones(1), np.zeros(1)) if x.function is None else None


@register("Pow", since=7)
class Pow(Elementwise):
    """``a ** b``, in the type of ``a``."""

    @staticmethod
    def f(a, b):
        return np.power(a, b).astype(np.asarray(a).dtype)


@register("PRelu", since=7)
class PRelu(Elementwise):
    """``x`` where positive, else ``slope * x``."""

    @staticmethod
    def f(x, slope):
        return np.where(x < 0, slope * x, x)


@register("Mod", since=10)
class Mod(Elementwise):
    """The remainder of ``a / b``: with the sign of ``b``, or of ``a`` if `fmod`."""

    @staticmethod
    def f(a, b, *, fmod=0):
        return np.fmod(a, b) if fmod else np.mod(a, b)


class Several(Elementwise):
    """Family base: any number of operands."""

    def pair(
        self, a: Encrypted, b: Encrypted, builder: IntegerBuilder, result: str
    ) -> Encrypted:
        """Return the result for two encrypted tensors of one scale."""
        raise NotImplementedError

    def combine(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Return the result of encrypted operands two by two, then that with clear ones."""
        result = self.node.outputs[0]
        total, *others = self.on_one_scale(operands, builder)
        for place, other in enumerate(others):
            total = self.pair(total, other, builder, f"{result}.{place}")
        clear = [x for x in operands if not isinstance(x, Encrypted)]
        return self.finished(total, len(others) + 1, clear)

    def finished(self, x: Encrypted, count: int, clear: Sequence[Operand]) -> Encrypted:
        """Return the result, given that of the `count` encrypted operands."""
        return self.fused([x, *clear]) if clear else x


class Extreme(Several):
    """Family base: tables read all bits of differences of two operands."""

    def on_one_scale(
        self,
        operands: Sequence[Operand],
        builder: IntegerBuilder,
        n_bits: int | None = None,
    ) -> list[Encrypted]:
        """Round accumulators first, as `arithmetic.comparable` does."""
        widest = arithmetic.widest_compared(builder)
        return super().on_one_scale(operands, builder, widest)


@register("Max", since=6)
class Max(Extreme):
    """The largest of the tensors."""

    takes_infinity = True

    @staticmethod
    def f(*tensors):
        return functools.reduce(np.maximum, tensors)

    def pair(self, a, b, builder, result):
        """Look the excess of one over the other up."""
        return arithmetic.largest_of(builder, a, b, result)


@register("Min", since=6)
class Min(Extreme):
    """The smallest of the tensors."""

    takes_infinity = True

    @staticmethod
    def f(*tensors):
        return functools.reduce(np.minimum, tensors)

    def pair(self, a, b, builder, result):
        """Look the excess of one over the other up."""
        return arithmetic.smallest_of(builder, a, b, result)


@register("Sum", since=6)
class Sum(Several):
    """The sum of the tensors."""

    adds = True

    @staticmethod
    def f(*tensors):
        return functools.reduce(np.add, tensors)

    def pair(self, a, b, builder, result):
        """Add integers."""
        return arithmetic.add(builder, a, b, result)

    def finished(self, x, count, clear):
        """Fold the clear operands into the offset."""
        return x.scaled(np.ones(1), functools.reduce(np.add, clear, np.zeros(1)))


@register("Mean", since=6)
class Mean(Sum):
    """The mean of the tensors."""

    @staticmethod
    def f(*tensors):
        return functools.reduce(np.add, tensors) / tensors[0].dtype.type(len(tensors))

    def finished(self, x, count, clear):
        """Fold the number of operands into the scale."""
        total = super().finished(x, count, clear)
        return total.scaled(np.full(1, 1 / (count + len(clear))), np.zeros(1))
