"""Operators that move elements and change none: integers pass through."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from fhe_estimators.core.graph import Node
from fhe_estimators.core.integers.builder import IntegerBuilder
from fhe_estimators.core.integers.layout import rearrange
from fhe_estimators.core.integers.tensors import ClearIntegers, Encrypted
from fhe_estimators.core.operators._base import Operand, QuantizedOp, as_array, register
from fhe_estimators.core.operators._body import Writer
from fhe_estimators.core.operators._rows import moves_within_rows
from fhe_estimators.exceptions import UnsupportedOperatorError


def axes_as_input(write: Writer) -> Sequence[str]:
    """Write a node with its attribute `axes` as its second input."""
    axes = write.attribute("axes")
    inputs = [] if axes is None else [write.integers(*axes)]
    return write.same(write.input(0), *inputs, without=("axes",))


class Layout(QuantizedOp):
    """Family base: `f` is applied to integers as it is to real numbers."""

    additive = True
    free = True
    integer = True
    keeps_elements = True

    def in_clear(self, operands: Sequence[Operand]) -> ClearIntegers | np.ndarray:
        """Move clear integers with their unit."""
        x, *parameters = operands
        if isinstance(x, ClearIntegers):
            others = [as_array(parameter) for parameter in parameters]
            return x.laid_out(lambda array: np.asarray(self(array, *others)))
        return super().in_clear(operands)

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Move the integers; their scales and ranges move with them."""
        x, *parameters = operands
        clear = [
            as_array(array) for array in parameters if not isinstance(array, Encrypted)
        ]
        if not isinstance(x, Encrypted) or len(clear) < len(parameters):
            raise self.unsupported("its parameters are encrypted")
        if not self.keeps_rows(x.shape, clear):
            raise self.unsupported("it moves the axis of the rows")
        x = builder.materialize(x, self.node.inputs[0])
        return self.move(x, clear, builder)

    def move(
        self, x: Encrypted, parameters: Sequence[np.ndarray | None], builder: IntegerBuilder
    ) -> Encrypted:
        """Append the node, given a tensor without a pending function."""
        result = self.node.outputs[0]
        return rearrange(builder, x, self.op_type, parameters, result, **self.attributes)

    def row_by_row(
        self, operands: Sequence[np.ndarray | None], rows: Collection[int]
    ) -> tuple[np.ndarray, ...]:
        """Return the results of the node on examples; nothing if it mixes their rows."""
        x, *parameters = operands
        if 0 in rows and (
            len(rows) > 1 or x is None or not self.keeps_rows((1, *x.shape[1:]), parameters)
        ):
            return ()
        return super().row_by_row(operands, rows)

    def keeps_rows(
        self, shape: tuple[int, ...], parameters: Sequence[np.ndarray | None]
    ) -> bool:
        """Tell whether a row of the result has elements of the same row, or zeros, only."""
        return moves_within_rows(self, parameters, shape)


class Unchanged(QuantizedOp):
    """Family base: nothing happens to an encrypted tensor."""

    additive = True
    free = True
    keeps_elements = True
    keeps_order = True
    pointwise = True

    def can_fuse(self, operands: Sequence[Operand]) -> bool:
        """Tell that it always can."""
        return True

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Return the operand."""
        x: Encrypted = self(*operands)
        return x


@register("Identity", since=1)
class Identity(Unchanged):
    """``x``."""

    @staticmethod
    def f(x):
        return x


@register("Dropout", since=12)
class Dropout(Unchanged):
    """``x``: nothing is dropped at inference."""

    @staticmethod
    def f(x, ratio=None, training_mode=None, *, seed=None):
        if training_mode and (ratio is None or ratio):
            raise UnsupportedOperatorError(
                "Dropout is not supported in training mode: export the model for inference."
            )
        return x

    def __call__(self, *arrays: Any) -> Any:
        """Return the operand, and that all of it is kept if the node has two results."""
        x = super().__call__(*arrays)
        return x if len(self.node.outputs) < 2 else (x, np.ones(x.shape, bool))


@register("Dropout", since=7)
class Dropout7(Dropout):
    """The same; the ratio is an input since opset 12."""

    @staticmethod
    def f(x, *, ratio=0.5):
        return x

    @staticmethod
    def body(write: Writer) -> Sequence[str]:
        """Forget the ratio."""
        return write.same(write.input(0), without=("ratio",))


#: ONNX element types that arrays are cast to (TensorProto.DataType).
_TYPES = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    4: np.uint16,
    5: np.int16,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
    12: np.uint32,
    13: np.uint64,
}
_FLOATS = (1, 10, 11)


@register("Cast", since=1)
class Cast(QuantizedOp):
    """The same numbers in another type; a cast to an integer type truncates."""

    free = True
    keeps_elements = True
    keeps_order = True
    pointwise = True

    @staticmethod
    def f(x, *, to, saturate=1):
        # What is out of range is saturated for types that numpy lacks only.
        if to not in _TYPES:
            raise UnsupportedOperatorError(
                f"A cast to the element type {to} is not supported; supported: "
                f"{', '.join(f'{key} ({t.__name__})' for key, t in _TYPES.items())}."
            )
        return np.asarray(x).astype(_TYPES[to])

    @classmethod
    def reads_indices(cls, node: Node) -> bool:
        """Tell whether a node casts to integers."""
        return node.attributes["to"] not in _FLOATS

    def can_fuse(self, operands: Sequence[Operand]) -> bool:
        """Tell that it always can."""
        return True

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Return the operand if it holds floats already, else extend its function."""
        x = operands[0]
        assert isinstance(x, Encrypted)
        if self.reads_indices(self.node):
            return x.then(self)
        # What is pending may give truth values or integers, which calculate otherwise.
        return x if x.function is None else x.then(lambda real: np.asarray(real, float))


@register("Flatten", since=1)
class Flatten(Layout):
    """A matrix: the axes before `axis` become rows, the others columns."""

    keeps_order = True

    @classmethod
    def makes_vectors(cls, node: Node) -> bool:
        """Tell whether the first axis, which holds rows, stays one."""
        return node.attributes.get("axis", 1) == 1

    @staticmethod
    def f(x, *, axis=1):
        axis = axis + x.ndim if axis < 0 else axis
        return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


@register("Reshape", since=5)
class Reshape(Layout):
    """The same elements in another shape; 0 keeps a size, -1 stands for the rest."""

    keeps_order = True

    @staticmethod
    def f(x, shape, *, allowzero=0):
        sizes = (
            x.shape[axis] if size == 0 and not allowzero else int(size)
            for axis, size in enumerate(shape)
        )
        return x.reshape(tuple(sizes))


@register("Squeeze", since=13)
class Squeeze(Layout):
    """Without the axes of size one."""

    keeps_order = True

    @staticmethod
    def f(x, axes=None):
        if axes is None:
            return x.reshape(tuple(size for size in x.shape if size != 1))
        gone = {int(axis) % x.ndim for axis in axes}
        return x.reshape(tuple(s for axis, s in enumerate(x.shape) if axis not in gone))

    def move(
        self, x: Encrypted, parameters: Sequence[np.ndarray | None], builder: IntegerBuilder
    ) -> Encrypted:
        """Name the axes: the first one holds rows, even if there is one row."""
        if parameters and parameters[0] is not None:
            return super().move(x, parameters, builder)
        axes = [axis for axis, size in enumerate(x.shape) if axis and size == 1]
        return super().move(x, [np.array(axes, np.int64)], builder)


@register("Squeeze", since=1)
class Squeeze1(Squeeze):
    """The same; the axes are an input since opset 13."""

    @staticmethod
    def f(x, *, axes=None):
        return Squeeze.f(x, axes)

    body = staticmethod(axes_as_input)


@register("Transpose", since=1)
class Transpose(Layout):
    """The axes in another order."""

    @staticmethod
    def f(x, *, perm=None):
        return np.transpose(x, perm)


@register("Unsqueeze", since=13)
class Unsqueeze(Layout):
    """With further axes of size one."""

    keeps_order = True

    @staticmethod
    def f(x, axes):
        rank = x.ndim + len(axes)
        new = {int(axis) % rank for axis in axes}
        sizes = iter(x.shape)
        return x.reshape(tuple(1 if axis in new else next(sizes) for axis in range(rank)))


@register("Unsqueeze", since=1)
class Unsqueeze1(Unsqueeze):
    """The same; the axes are an input since opset 13."""

    @staticmethod
    def f(x, *, axes):
        return Unsqueeze.f(x, axes)

    body = staticmethod(axes_as_input)


@register("CastLike", since=15)
class CastLike(Cast):
    """The same numbers in the type of another tensor."""

    @staticmethod
    def f(x, target, *, saturate=1):
        return np.asarray(x).astype(np.asarray(target).dtype)

    @classmethod
    def reads_indices(cls, node: Node) -> bool:
        """Tell that the type is not known here."""
        return False

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Extend the function of the operand if the type is one of integers."""
        x, target = operands
        assert isinstance(x, Encrypted)
        if isinstance(target, Encrypted) or np.asarray(target).dtype.kind == "f":
            return x if x.function is None else x.then(lambda real: np.asarray(real, float))
        return x.then(lambda real: self(real, target))


@register("DepthToSpace", since=1)
class DepthToSpace(Layout):
    """Blocks of channels become blocks of a larger image."""

    @staticmethod
    def f(x, *, blocksize, mode="DCR"):
        size = int(blocksize)
        n_rows, n_channels, height, width = x.shape
        n_left = n_channels // size**2
        if mode == "DCR":
            parts = x.reshape((n_rows, size, size, n_left, height, width))
            parts = np.transpose(parts, (0, 3, 4, 1, 5, 2))
        else:
            parts = x.reshape((n_rows, n_left, size, size, height, width))
            parts = np.transpose(parts, (0, 1, 4, 2, 5, 3))
        return parts.reshape((n_rows, n_left, height * size, width * size))


@register("SpaceToDepth", since=1)
class SpaceToDepth(Layout):
    """Blocks of an image become blocks of channels of a smaller one."""

    @staticmethod
    def f(x, *, blocksize):
        size = int(blocksize)
        n_rows, n_channels, height, width = x.shape
        height, width = height // size, width // size
        parts = x.reshape((n_rows, n_channels, height, size, width, size))
        parts = np.transpose(parts, (0, 3, 5, 1, 2, 4))
        return parts.reshape((n_rows, n_channels * size**2, height, width))
