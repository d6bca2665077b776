"""Normalizations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fhe_estimators.core.graph import Node
from fhe_estimators.core.integers.builder import IntegerBuilder
from fhe_estimators.core.integers.tensors import Encrypted
from fhe_estimators.core.operators._base import Operand, register
from fhe_estimators.core.operators._body import Writer
from fhe_estimators.core.operators.clear import ClearOnly
from fhe_estimators.core.operators.norms import normalized
from fhe_estimators.core.operators.univariate import Univariate
from fhe_estimators.exceptions import UnsupportedOperatorError


@register("BatchNormalization", since=9)
class BatchNormalization(Univariate):
    """``scale * (x - mean) / sqrt(variance + epsilon) + shift`` for each channel."""

    by_channel = True
    free = True

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        if node.attributes.get("training_mode"):
            raise UnsupportedOperatorError(
                f"Node {node} is not supported in training mode: export the model for "
                "inference."
            )

    @staticmethod
    def f(x, scale, shift, mean, variance, *, epsilon=1e-5, momentum=0.9, training_mode=0):
        def channels(array):
            return np.reshape(array, (-1, *[1] * (x.ndim - 2)))

        factor = scale / np.sqrt(variance + np.asarray(epsilon, x.dtype))
        return channels(factor) * (x - channels(mean)) + channels(shift)

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Fold factor and shift of each channel into the scale and the offset."""
        x, *parameters = operands
        if not isinstance(x, Encrypted) or not self.can_fuse(operands):
            raise self.unsupported("its parameters are encrypted")
        zero, one = (np.full(x.shape, number) for number in (0.0, 1.0))
        shift = self(zero, *parameters)
        factor = self(one, *parameters) - shift
        # What is multiplied by zero does not have a scale.
        if x.function is not None or not np.all(factor):
            return super().quantize(operands, builder)
        return x.scaled(factor, shift)


@register("BatchNormalization", since=7)
class BatchNormalization7(BatchNormalization):
    """The same; statistics of single elements of a channel are gone since opset 9."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        if not node.attributes.get("spatial", 1):
            raise UnsupportedOperatorError(
                f"Node {node}: statistics of single elements (spatial=0) are not supported."
            )

    @staticmethod
    def f(x, scale, shift, mean, variance, *, epsilon=1e-5, momentum=0.9, spatial=1):
        return BatchNormalization.f(x, scale, shift, mean, variance, epsilon=epsilon)

    @staticmethod
    def body(write: Writer) -> Sequence[str]:
        """Forget the attribute."""
        return write.same(*write.node.inputs, without=("spatial",))


@register("LayerNormalization", since=17)
class LayerNormalization(ClearOnly):
    """``scale * (x - mean) / sqrt(variance + epsilon) + shift`` over the axes from `axis`.

    The results are that tensor, the means and the inverse standard deviations.
    """

    @staticmethod
    def f(x, scale, shift=None, *, axis=-1, epsilon=1e-5, stash_type=1):
        axes = tuple(range(axis % x.ndim, x.ndim))
        exact = x.astype(np.float64 if x.dtype == np.float64 else np.float32)
        mean = exact.mean(axis=axes, keepdims=True)
        variance = exact.var(axis=axes, keepdims=True) + exact.dtype.type(epsilon)
        inverse = 1 / np.sqrt(variance)
        result = ((exact - mean) * inverse).astype(x.dtype) * scale
        return result if shift is None else result + shift, mean, inverse

    def __call__(self, *arrays):
        """Return as many results as the node has."""
        return super().__call__(*arrays)[: len(self.node.outputs)]

    @staticmethod
    def body(write: Writer) -> str:
        """Normalize along the axes; scale and shift are constants."""
        if any(write.node.outputs[1:]):
            raise write.unsupported("its second and third result have no encrypted form")
        rank = len(write.shape(0))
        first = write.attribute("axis", -1) % rank
        axes = write.integers(*range(first, rank))
        x = normalized(write, write.input(0), axes, write.attribute("epsilon", 1e-5))
        x = write("Mul", x, write.input(1))
        return write("Add", x, write.input(2)) if write.input(2) else x
