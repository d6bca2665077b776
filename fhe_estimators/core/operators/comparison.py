"""Comparisons, logic, and the choice between tensors, element by element."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fhe_estimators.core.integers import arithmetic
from fhe_estimators.core.integers.builder import IntegerBuilder
from fhe_estimators.core.integers.tensors import Encrypted, Grid
from fhe_estimators.core.operators._base import Operand, register
from fhe_estimators.core.operators.elementwise import Elementwise, as_tensor


class Comparison(Elementwise):
    """Family base: different encrypted tensors are compared by their difference."""

    def combine(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Compare the difference of integers on one scale with zero."""
        a, b = self.on_one_scale(operands, builder)
        difference = arithmetic.subtract(
            builder, a, b, f"{self.node.outputs[0]}.difference"
        )
        return arithmetic.in_steps(difference).then(lambda real: self(real, np.zeros(1)))


@register("Equal", since=7)
class Equal(Comparison):
    """``a == b``."""

    @staticmethod
    def f(a, b):
        return np.equal(a, b)


@register("Greater", since=7)
class Greater(Comparison):
    """``a > b``."""

    takes_infinity = True

    @staticmethod
    def f(a, b):
        return np.greater(a, b)


@register("GreaterOrEqual", since=12)
class GreaterOrEqual(Comparison):
    """``a >= b``."""

    takes_infinity = True

    @staticmethod
    def f(a, b):
        return np.greater_equal(a, b)


@register("Less", since=7)
class Less(Comparison):
    """``a < b``."""

    takes_infinity = True

    @staticmethod
    def f(a, b):
        return np.less(a, b)


@register("LessOrEqual", since=12)
class LessOrEqual(Comparison):
    """``a <= b``."""

    takes_infinity = True

    @staticmethod
    def f(a, b):
        return np.less_equal(a, b)


@register("And", since=7)
class And(Elementwise):
    """Both."""

    @staticmethod
    def f(a, b):
        return np.logical_and(a, b)


@register("Or", since=7)
class Or(Elementwise):
    """Either."""

    @staticmethod
    def f(a, b):
        return np.logical_or(a, b)


@register("Not", since=1)
class Not(Elementwise):
    """The opposite."""

    @staticmethod
    def f(x):
        return np.logical_not(x)


@register("Xor", since=7)
class Xor(Elementwise):
    """One of them, not both."""

    @staticmethod
    def f(a, b):
        return np.logical_xor(a, b)


@register("Where", since=9)
class Where(Elementwise):
    """``a`` where the condition holds, else ``b``."""

    takes_infinity = True

    @staticmethod
    def f(condition, a, b):
        return np.where(condition, a, b)

    def combine(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Return ``b + (a - b if the condition holds else 0)`` for two tensors."""
        condition, a, b = operands
        if (
            not isinstance(a, Encrypted)
            or not isinstance(b, Encrypted)
            or a.name == b.name
            or (isinstance(condition, Encrypted) and condition.name in (a.name, b.name))
        ):
            return super().combine(operands, builder)
        result = self.node.outputs[0]
        a, b = arithmetic.on_one_scale(builder, [a, b], self.node.inputs[1:])
        difference = arithmetic.subtract(builder, a, b, f"{result}.difference")
        chosen = arithmetic.joint(
            builder,
            lambda holds, real: np.where(holds, real, 0),
            [as_tensor(condition), difference],
            [self.node.inputs[0], difference.name],
            f"{result}.chosen",
            n_bits=arithmetic.width(difference),
        )
        grid = Grid(a.scale, np.zeros(1))
        excess = builder.materialize(chosen, f"{result}.excess", grid=grid)
        return arithmetic.add(builder, b, excess, result)
