"""Operators that no module of the package knows, each the twin of one that it has.

They are what an author of an operator writes: a class of a family, with its facts.
"""

import numpy as np

from fhe_estimators.core.integers import arithmetic
from fhe_estimators.core.integers.layout import sum_over
from fhe_estimators.core.operators._base import register
from fhe_estimators.core.operators.clear import ClearOnly
from fhe_estimators.core.operators.comparison import Comparison
from fhe_estimators.core.operators.elementwise import Affine, Elementwise
from fhe_estimators.core.operators.layout import Layout, Reshape
from fhe_estimators.core.operators.linear import Linear
from fhe_estimators.core.operators.reduction import Reduction, reduced
from fhe_estimators.core.operators.univariate import Univariate

DOMAIN = "scratch"


class Bent(Univariate):
    """The twin of Softsign."""

    domain = DOMAIN

    @staticmethod
    def f(x):
        return x / (1 + np.abs(x))


class Sloped(Elementwise):
    """The twin of PRelu."""

    domain = DOMAIN

    @staticmethod
    def f(x, slope):
        return np.where(x < 0, slope * x, x)


class Above(Comparison):
    """The twin of Greater."""

    domain = DOMAIN
    takes_infinity = True

    @staticmethod
    def f(a, b):
        return np.greater(a, b)


class Turned(Layout):
    """The twin of Transpose."""

    domain = DOMAIN

    @staticmethod
    def f(x, *, perm=None):
        return np.transpose(x, perm)


class Added(Reduction):
    """The twin of ReduceSum."""

    additive = True
    domain = DOMAIN
    free = True
    sums = True

    @staticmethod
    def f(x, axes=None, *, keepdims=1):
        return reduced(np.sum, x, axes, keepdims)

    def reduce(self, x, axes, keepdims, builder):
        """Add integers."""
        return sum_over(builder, x, axes, self.node.outputs[0], keepdims=keepdims)


class Weighed(Linear):
    """The twin of MatMul with weights on the right."""

    domain = DOMAIN

    @staticmethod
    def f(a, b):
        return a @ b

    def quantize(self, operands, builder):
        """Multiply encrypted rows by clear weights."""
        x, weights = operands
        x = builder.materialize(x, self.node.inputs[0], units_along=(-1,))
        return self.product(x, weights, np.zeros(1), builder)


class Sizes(ClearOnly):
    """The twin of Shape."""

    domain = DOMAIN
    reads_sizes = True

    @staticmethod
    def f(x):
        return np.array(x.shape, np.int64)


class Reshaped(Layout):
    """The twin of Reshape."""

    domain = DOMAIN
    keeps_order = True

    @staticmethod
    def f(x, shape):
        return Reshape.f(x, shape)


class Taken(Affine):
    """The twin of Sub."""

    adds = True
    domain = DOMAIN

    @staticmethod
    def f(a, b):
        return a - b

    def combine(self, operands, builder):
        """Subtract integers on one scale."""
        a, b = self.on_one_scale(operands, builder)
        return arithmetic.subtract(builder, a, b, self.node.outputs[0])


def register_all():
    """Register them, in a context that ends; `register` would be their decorator else."""
    for cls in (Bent, Sloped, Above, Turned, Added, Weighed, Sizes, Reshaped, Taken):
        register(cls.__name__, since=1)(cls)
