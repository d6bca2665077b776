"""Functions of one number, element by element: each becomes (part of) one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fhe_estimators.core.integers.builder import IntegerBuilder
from fhe_estimators.core.integers.layout import expand, rearrange
from fhe_estimators.core.integers.tensors import Encrypted
from fhe_estimators.core.operators._base import Operand, QuantizedOp, register
from fhe_estimators.core.operators._body import Writer

#: The largest number of single precision.
_LARGEST = float(np.finfo(np.float32).max)


class Univariate(QuantizedOp):
    """Family base: one encrypted operand, clear parameters."""

    pointwise = True

    def can_fuse(self, operands: Sequence[Operand]) -> bool:
        """Tell whether only the first operand is encrypted."""
        return not any(isinstance(operand, Encrypted) for operand in operands[1:])

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Extend the pending function of the operand."""
        x, *parameters = operands
        if not isinstance(x, Encrypted) or not self.can_fuse(operands):
            raise self.unsupported("its parameters are encrypted")
        return x.then(lambda real: self(real, *parameters))


@register("Abs", since=6)
class Abs(Univariate):
    """``|x|``."""

    @staticmethod
    def f(x):
        return np.abs(x)


@register("Acos", since=7)
class Acos(Univariate):
    """The angle whose cosine is ``x``."""

    @staticmethod
    def f(x):
        return np.arccos(x)


@register("Acosh", since=9)
class Acosh(Univariate):
    """The inverse of the hyperbolic cosine."""

    @staticmethod
    def f(x):
        return np.arccosh(x)


@register("Asin", since=7)
class Asin(Univariate):
    """The angle whose sine is ``x``."""

    @staticmethod
    def f(x):
        return np.arcsin(x)


@register("Asinh", since=9)
class Asinh(Univariate):
    """The inverse of the hyperbolic sine."""

    @staticmethod
    def f(x):
        return np.arcsinh(x)


@register("Atan", since=7)
class Atan(Univariate):
    """The angle whose tangent is ``x``."""

    @staticmethod
    def f(x):
        return np.arctan(x)


@register("Atanh", since=9)
class Atanh(Univariate):
    """The inverse of the hyperbolic tangent."""

    @staticmethod
    def f(x):
        return np.arctanh(x)


@register("Ceil", since=6)
class Ceil(Univariate):
    """Smallest integer that is not below ``x``."""

    @staticmethod
    def f(x):
        return np.ceil(x)


@register("Celu", since=12)
class Celu(Univariate):
    """``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))``."""

    @staticmethod
    def f(x, *, alpha=1.0):
        return np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(np.minimum(x, 0) / alpha))


@register("Clip", since=11)
class Clip(Univariate):
    """``min(max(x, minimum), maximum)``."""

    takes_infinity = True

    @staticmethod
    def f(x, minimum=None, maximum=None):
        # One after the other: where minimum > maximum, the maximum counts.
        if minimum is not None:
            x = np.maximum(x, minimum)
        if maximum is not None:
            x = np.minimum(x, maximum)
        return x


@register("Clip", since=6)
class Clip6(Clip):
    """The same; minimum and maximum are inputs since opset 11."""

    @staticmethod
    def f(x, *, min=-_LARGEST, max=_LARGEST):
        return Clip.f(x, np.float32(min), np.float32(max))

    @staticmethod
    def body(write: Writer) -> Sequence[str]:
        """Make the ends constants."""
        low = write.constant(write.attribute("min", -_LARGEST), np.float32)
        high = write.constant(write.attribute("max", _LARGEST), np.float32)
        return write.same(write.input(0), low, high, without=("min", "max"))


@register("Cos", since=7)
class Cos(Univariate):
    """The cosine."""

    @staticmethod
    def f(x):
        return np.cos(x)


@register("Cosh", since=9)
class Cosh(Univariate):
    """The hyperbolic cosine."""

    @staticmethod
    def f(x):
        return np.cosh(x)


@register("Elu", since=6)
class Elu(Univariate):
    """``x`` where positive, else ``alpha * (exp(x) - 1)``."""

    @staticmethod
    def f(x, *, alpha=1.0):
        return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@register("Erf", since=9)
class Erf(Univariate):
    """The error function."""

    @staticmethod
    def f(x):
        from scipy.special import erf

        return erf(x)


@register("Exp", since=6)
class Exp(Univariate):
    """``e**x``."""

    @staticmethod
    def f(x):
        return np.exp(x)


@register("Floor", since=6)
class Floor(Univariate):
    """Largest integer that is not above ``x``."""

    @staticmethod
    def f(x):
        return np.floor(x)


@register("HardSigmoid", since=6)
class HardSigmoid(Univariate):
    """``max(0, min(1, alpha * x + beta))``."""

    @staticmethod
    def f(x, *, alpha=0.2, beta=0.5):
        return np.clip(alpha * x + beta, 0, 1)


@register("HardSwish", since=14)
class HardSwish(Univariate):
    """``x * max(0, min(1, x / 6 + 0.5))``."""

    @staticmethod
    def f(x):
        return x * np.clip(x / 6 + 0.5, 0, 1)


@register("LeakyRelu", since=6)
class LeakyRelu(Univariate):
    """``x`` where positive, else ``alpha * x``."""

    @staticmethod
    def f(x, *, alpha=0.01):
        return np.where(x >= 0, x, alpha * x)


@register("Log", since=6)
class Log(Univariate):
    """The natural logarithm."""

    @staticmethod
    def f(x):
        return np.log(x)


@register("OneHot", since=9)
class OneHot(Univariate):
    """A new axis of size `depth`: the second of two values at the index, else the first.

    A negative index counts from the end; one that is out of range is nowhere.
    """

    @staticmethod
    def f(indices, depth, values, *, axis=-1):
        depth = int(np.asarray(depth).item())
        axis = axis % (indices.ndim + 1)
        places = np.arange(depth).reshape(-1, *[1] * (indices.ndim - axis))
        index = np.expand_dims(indices, axis)
        there = (index == places) | (index + depth == places)
        return np.where(there, values[1], values[0])

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Repeat the index along the new axis; a table for each place tells if it is it."""
        x, *parameters = operands
        if not isinstance(x, Encrypted) or not self.can_fuse(operands):
            raise self.unsupported("its parameters are encrypted")
        axis = self.attributes.get("axis", -1) % (len(x.shape) + 1)
        if axis == 0:
            raise self.unsupported("its new axis comes before that of the rows")
        result = self.node.outputs[0]
        # The integers are repeated, and the pending function is applied to one of each.
        plain = replace(x, function=None)
        shape = self(x.low, *parameters).shape
        wide = rearrange(builder, plain, "Unsqueeze", [np.array([axis])], f"{result}.index")
        wide = expand(builder, wide, shape, f"{result}.indices")
        return wide.then(lambda real: self(x.apply(np.take(real, 0, axis)), *parameters))


@register("Reciprocal", since=6)
class Reciprocal(Univariate):
    """``1 / x``."""

    @staticmethod
    def f(x):
        return np.reciprocal(x)


@register("Relu", since=6)
class Relu(Univariate):
    """``max(x, 0)``."""

    @staticmethod
    def f(x):
        return np.maximum(x, 0)


@register("Round", since=11)
class Round(Univariate):
    """The nearest integer; halves go to the even one."""

    @staticmethod
    def f(x):
        return np.rint(x)


@register("Selu", since=6)
class Selu(Univariate):
    """``gamma * x`` where positive, else ``gamma * alpha * (exp(x) - 1)``."""

    @staticmethod
    def f(x, *, alpha=1.6732632423543772, gamma=1.0507009873554805):
        return gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@register("Sigmoid", since=6)
class Sigmoid(Univariate):
    """``1 / (1 + exp(-x))``."""

    @staticmethod
    def f(x):
        from scipy.special import expit

        return expit(x)


@register("Sign", since=9)
class Sign(Univariate):
    """-1, 0 or 1."""

    @staticmethod
    def f(x):
        return np.sign(x)


@register("Sin", since=7)
class Sin(Univariate):
    """The sine."""

    @staticmethod
    def f(x):
        return np.sin(x)


@register("Sinh", since=9)
class Sinh(Univariate):
    """The hyperbolic sine."""

    @staticmethod
    def f(x):
        return np.sinh(x)


@register("Softplus", since=1)
class Softplus(Univariate):
    """``log(1 + exp(x))``."""

    @staticmethod
    def f(x):
        return np.logaddexp(0, x)


@register("Softsign", since=1)
class Softsign(Univariate):
    """``x / (1 + |x|)``."""

    @staticmethod
    def f(x):
        return x / (1 + np.abs(x))


@register("Sqrt", since=6)
class Sqrt(Univariate):
    """The square root."""

    @staticmethod
    def f(x):
        return np.sqrt(x)


@register("Tan", since=7)
class Tan(Univariate):
    """The tangent."""

    @staticmethod
    def f(x):
        return np.tan(x)


@register("Tanh", since=6)
class Tanh(Univariate):
    """The hyperbolic tangent."""

    @staticmethod
    def f(x):
        return np.tanh(x)


@register("ThresholdedRelu", since=10)
class ThresholdedRelu(Univariate):
    """``x`` where above `alpha`, else 0."""

    @staticmethod
    def f(x, *, alpha=1.0):
        return np.where(x > alpha, x, 0)


@register("Gelu", since=20)
class Gelu(Univariate):
    """``x`` times the probability that a normal variable is below it."""

    @staticmethod
    def f(x, *, approximate="none"):
        if approximate == "tanh":
            inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
            return (0.5 * x * (1 + np.tanh(inner))).astype(x.dtype)
        from scipy.special import ndtr

        return x * ndtr(x)


@register("Mish", since=18)
class Mish(Univariate):
    """``x * tanh(log(1 + exp(x)))``."""

    @staticmethod
    def f(x):
        return x * np.tanh(np.logaddexp(0, x))


@register("Shrink", since=9)
class Shrink(Univariate):
    """``x`` moved by `bias` towards zero, and 0 from ``-lambd`` to ``lambd``."""

    @staticmethod
    def f(x, *, bias=0.0, lambd=0.5):
        beyond = np.where(x > lambd, x - bias, 0)
        return np.where(x < -lambd, x + bias, beyond).astype(x.dtype)


@register("IsNaN", since=9)
class IsNaN(Univariate):
    """Whether ``x`` is no number."""

    @staticmethod
    def f(x):
        return np.isnan(x)


@register("IsInf", since=10)
class IsInf(Univariate):
    """Whether ``x`` is infinite."""

    takes_infinity = True

    @staticmethod
    def f(x, *, detect_negative=1, detect_positive=1):
        negative = np.isneginf(x) & bool(detect_negative)
        return negative | (np.isposinf(x) & bool(detect_positive))
