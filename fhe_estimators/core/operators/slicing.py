"""Operators that take tensors apart, repeat their elements and join them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fhe_estimators.core.integers.builder import IntegerBuilder
from fhe_estimators.core.integers.layout import pad_with, rearrange, take_slice
from fhe_estimators.core.integers.tensors import Encrypted
from fhe_estimators.core.operators._base import Operand, QuantizedOp, as_array, register
from fhe_estimators.core.operators._body import Writer
from fhe_estimators.core.operators.layout import Layout
from fhe_estimators.exceptions import GraphError, UnsupportedOperatorError


@register("Concat", since=4)
class Concat(QuantizedOp):
    """Tensors one behind the other."""

    additive = True
    aligned = True
    free = True
    integer = True

    @staticmethod
    def f(*tensors, axis):
        # A clear tensor of one row stands beside any number of rows.
        if axis % tensors[0].ndim and len({x.shape[0] for x in tensors}) > 1:
            n_rows = max(x.shape[0] for x in tensors)
            tensors = [
                np.broadcast_to(x, (n_rows, *x.shape[1:])) if x.shape[0] == 1 else x
                for x in tensors
            ]
        return np.concatenate(tensors, axis=axis)

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Join integers; each keeps its own scale, and clear numbers are offsets."""
        rank = max(len(x.shape) for x in operands if isinstance(x, Encrypted))
        axis = self.attributes["axis"] % rank
        if axis == 0:
            raise self.unsupported("it joins along the first axis, which holds rows")
        tensors: list[Encrypted] = []
        before: list[np.ndarray] = []
        for x, name in zip(operands, self.node.inputs, strict=True):
            if isinstance(x, Encrypted):
                tensor = builder.materialize(x, name)
                if before:
                    front = np.concatenate(before, axis)
                    tensor, before = self._beside(tensor, front, axis, builder, 0), []
                tensors.append(tensor)
                continue
            array = np.asarray(x)
            if array.shape[:1] != (1,):
                raise self.unsupported(f"{name!r} is clear, and has no rows")
            if tensors:
                tensors[-1] = self._beside(tensors[-1], array, axis, builder, 1)
            else:
                before.append(array)
        if len(tensors) == 1:
            return tensors[0]
        arrays = ((x.scale, x.offset, x.low, x.high) for x in tensors)
        scale, offset, low, high = (
            np.concatenate(parts, axis=axis) for parts in zip(*arrays, strict=True)
        )
        names, result = tuple(x.name for x in tensors), self.node.outputs[0]
        name = builder.emit("Concat", names, low, high, result=result, axis=axis)
        return Encrypted(name, scale, offset, low, high)

    def _beside(
        self, x: Encrypted, clear: np.ndarray, axis: int, builder: IntegerBuilder, side: int
    ) -> Encrypted:
        """Return the tensor with clear numbers in front of it (`side` 0) or behind it."""
        size = clear.shape[axis]
        widths = [(0, 0)] * len(x.shape)
        widths[axis] = (0, size) if side else (size, 0)
        wide = pad_with(builder, x, widths, 0.0, f"{self.node.outputs[0]}.part")
        margin = [slice(None)] * len(x.shape)
        margin[axis] = slice(x.shape[axis], None) if side else slice(0, size)
        offset = wide.offset.copy()
        offset[tuple(margin)] = clear
        return replace(wide, offset=offset)


@register("Expand", since=8)
class Expand(Layout):
    """The tensor, repeated along axes of size one; the shape may also be smaller."""

    @staticmethod
    def f(x, shape):
        sizes = tuple(int(size) for size in shape)
        return np.broadcast_to(x, np.broadcast_shapes(x.shape, sizes))


@register("Gather", since=1)
class Gather(Layout):
    """Slices of a tensor by index."""

    keeps_elements = False

    @staticmethod
    def f(x, indices, *, axis=0):
        index = np.asarray(indices)
        # Arrays that stand in for encrypted ones know plain numbers.
        before = (slice(None),) * (axis % x.ndim)
        return x[(*before, index if index.ndim else int(index))]

    def __call__(self, x, indices):
        """Return the slices; raise for indices that there are not."""
        try:
            return super().__call__(x, indices)
        except IndexError:
            size = x.shape[self.attributes.get("axis", 0)]
            raise GraphError(
                f"Node {self.node} takes indices from {-size} to {size - 1}; got "
                f"{np.min(indices)} to {np.max(indices)}. Rows of categories must hold "
                "those of training, and code must not depend on the number of rows."
            ) from None

    def move(
        self, x: Encrypted, parameters: Sequence[np.ndarray | None], builder: IntegerBuilder
    ) -> Encrypted:
        """Append a Slice where the indices are evenly spaced: it is cheaper to compile."""
        (indices,) = parameters
        assert indices is not None
        axis = self.attributes.get("axis", 0) % len(x.shape)
        size = x.shape[axis]
        index = np.ravel(indices) % size
        steps = set(np.diff(index).tolist()) or {1}
        if indices.ndim > 1 or len(steps) > 1 or steps == {0} or not index.size:
            return super().move(x, parameters, builder)
        (step,), result = steps, self.node.outputs[0]
        start, stop = int(index[0]), int(index[-1]) + (1 if step > 0 else -1)
        # Before the first element is -1, which would count from the end.
        part = slice(start, stop if stop >= 0 else -size - 1, step)
        found = take_slice(builder, x, axis, part, result)
        if indices.ndim:
            return found
        return rearrange(builder, found, "Squeeze", [np.array([axis])], f"{result}.one")


def _all_clear(operands: Sequence[Operand]) -> bool:
    return not any(isinstance(x, Encrypted) for x in operands)


def _widths(rank, pads, axes=None):
    """Return how many elements to add in front of and behind each axis, (rank, 2)."""
    places = range(rank) if axes is None else [int(axis) for axis in axes]
    widths = np.zeros((rank, 2), int)
    for place, axis in enumerate(places):
        widths[axis] = pads[place], pads[place + len(places)]
    return widths


def _pad(x, pads, constant, mode, axes=None):
    widths = _widths(x.ndim, np.asarray(pads), axes)
    # A negative width removes elements.
    kept = tuple(
        slice(max(-begin, 0), size - max(-end, 0))
        for size, (begin, end) in zip(x.shape, widths, strict=True)
    )
    options = {}
    if mode == "constant":
        fill = 0 if constant is None else np.asarray(constant).reshape(())
        options = {"constant_values": fill}
    return np.pad(x[kept], np.maximum(widths, 0), mode=mode, **options)


@register("Pad", since=11)
class Pad(QuantizedOp):
    """The tensor with a margin: a constant, its reflection, its edge, or its other end."""

    additive = True
    free = True
    integer = True
    keeps_elements = True

    @staticmethod
    def f(x, pads, constant_value=None, axes=None, *, mode="constant"):
        return _pad(x, pads, constant_value, mode, axes)

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Pad integers with zeros, whose offset is the constant."""
        x, *parameters = operands
        if not isinstance(x, Encrypted) or not _all_clear(parameters):
            raise self.unsupported("its parameters are encrypted")
        mode = self.attributes.get("mode", "constant")
        pads, constant, axes = (*map(as_array, parameters), None, None)[:3]
        widths = _widths(len(x.shape), pads, axes)
        if np.any(widths[0]):
            raise self.unsupported("it pads the first axis, which holds rows")
        x, result = builder.materialize(x, self.node.inputs[0]), self.node.outputs[0]
        if mode != "constant":
            # Where the elements of the margin come from, along each axis.
            for axis, width in enumerate(widths):
                if np.any(width):
                    places = _pad(np.arange(x.shape[axis]), width, None, mode)
                    x = rearrange(builder, x, "Gather", [places], result, axis=axis)
            return x
        for axis, (begin, end) in enumerate(np.maximum(-widths, 0).tolist()):
            if begin or end:
                part = slice(begin, x.shape[axis] - end)
                x = take_slice(builder, x, axis, part, f"{result}.part")
        margin = [(begin, end) for begin, end in np.maximum(widths, 0).tolist()]
        number = 0.0 if constant is None else np.asarray(constant).item()
        return pad_with(builder, x, margin, number, result)


@register("Pad", since=2)
class Pad2(Pad):
    """The same; all but the mode is an input since opset 11."""

    @staticmethod
    def f(x, *, pads, value=0.0, mode="constant"):
        return _pad(x, pads, value, mode)

    @staticmethod
    def body(write: Writer) -> Sequence[str]:
        """Make pads and value constants."""
        pads = write.integers(*write.attribute("pads"))
        value = write.constant(write.attribute("value", 0.0), np.float32)
        return write.same(write.input(0), pads, value, without=("pads", "value"))


def _index(rank, starts, ends, axes=None, steps=None):
    """Return the slices of a tensor along its axes."""
    index = [slice(None)] * rank
    places = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    for axis, start, end, step in zip(places, starts, ends, steps, strict=True):
        index[int(axis)] = slice(int(start), int(end), int(step))
    return tuple(index)


@register("Slice", since=10)
class Slice(Layout):
    """``x[start:end:step]`` along axes."""

    keeps_elements = False

    @staticmethod
    def f(x, starts, ends, axes=None, steps=None):
        return x[_index(x.ndim, starts, ends, axes, steps)]

    def keeps_rows(
        self, shape: tuple[int, ...], parameters: Sequence[np.ndarray | None]
    ) -> bool:
        """Tell so for any number of rows: ``x[:5]`` keeps two rows, and three."""
        rows = range(2**31 - 1)
        keeps_all = rows[_index(len(shape), *parameters)[0]] == rows
        return keeps_all and super().keeps_rows(shape, parameters)


@register("Slice", since=1)
class Slice1(Slice):
    """The same; starts, ends and axes are inputs since opset 10."""

    @staticmethod
    def f(x, *, starts, ends, axes=None):
        return Slice.f(x, starts, ends, axes)

    @staticmethod
    def body(write: Writer) -> Sequence[str]:
        """Make the attributes constants."""
        given = ("starts", "ends", "axes")
        numbers = [write.attribute(name) for name in given]
        inputs = [write.integers(*each) for each in numbers if each is not None]
        return write.same(write.input(0), *inputs, without=given)


def _split(x, sizes, axis):
    ends = np.cumsum(sizes)
    index = (slice(None),) * (axis % x.ndim)
    return tuple(
        x[(*index, slice(int(end - size), int(end)))]
        for size, end in zip(sizes, ends, strict=True)
    )


def equal_sizes(size: int, n_parts: int) -> list[int]:
    """Return the sizes of `n_parts` equal parts; the last may be smaller."""
    part = -(-size // n_parts)
    return [part] * (n_parts - 1) + [size - part * (n_parts - 1)]


@register("Split", since=13)
class Split(QuantizedOp):
    """The parts of a tensor along an axis, of given or equal sizes."""

    additive = True
    free = True
    keeps_elements = True

    @staticmethod
    def f(x, split=None, *, axis=0, num_outputs=None):
        if split is None:
            if num_outputs is None:
                raise TypeError("the sizes of the parts, or their number, must be known")
            split = equal_sizes(x.shape[axis], num_outputs)
        return _split(x, split, axis)

    def __call__(self, x, split=None):
        """Return the parts: as many equal ones as the node has results, by default."""
        if split is None and "num_outputs" not in self.attributes:
            size = x.shape[self.attributes.get("axis", 0)]
            n_parts = len(self.node.outputs)
            if size % n_parts:
                raise UnsupportedOperatorError(
                    f"Node {self.node}: {size} elements have no {n_parts} equal parts."
                )
            split = equal_sizes(size, n_parts)
        return super().__call__(x, split)

    def quantize(
        self, operands: Sequence[Operand], builder: IntegerBuilder
    ) -> tuple[Encrypted, ...]:
        """Return slices of the integers."""
        x, split = (*operands, None)[:2]
        axis = self.attributes.get("axis", 0)
        if not isinstance(x, Encrypted) or isinstance(split, Encrypted):
            raise self.unsupported("its parameters are encrypted")
        if axis % len(x.shape) == 0:
            raise self.unsupported("it splits the first axis, which holds rows")
        x = builder.materialize(x, self.node.inputs[0])
        parts = self(x.low, as_array(split))
        ends = np.cumsum([part.shape[axis] for part in parts]).tolist()
        return tuple(
            take_slice(builder, x, axis, slice(end - part.shape[axis], end), result)
            for part, end, result in zip(parts, ends, self.node.outputs, strict=True)
        )


@register("Split", since=2)
class Split2(Split):
    """The same; the sizes are an input since opset 13."""

    @staticmethod
    def f(x, *, split=None, axis=0):
        return Split.f(x, split, axis=axis)

    def __call__(self, x):
        """Return the parts: as many equal ones as the node has results, by default."""
        sizes = self.attributes.get("split")
        axis = self.attributes.get("axis", 0)
        n_parts = None if sizes else len(self.node.outputs)
        return Split.f(x, sizes, axis=axis, num_outputs=n_parts)

    @staticmethod
    def body(write: Writer) -> Sequence[str]:
        """Make the sizes a constant."""
        sizes = write.attribute("split")
        inputs = [] if sizes is None else [write.integers(*sizes)]
        return write.same(write.input(0), *inputs, without=("split",))


@register("Tile", since=6)
class Tile(Layout):
    """The tensor, repeated along each axis."""

    @staticmethod
    def f(x, repeats):
        # As an axis of repetitions in front of each axis.
        pairs = [(int(number), size) for number, size in zip(repeats, x.shape, strict=True)]
        once = tuple(length for _, size in pairs for length in (1, size))
        often = tuple(length for pair in pairs for length in pair)
        total = tuple(number * size for number, size in pairs)
        return np.broadcast_to(x.reshape(once), often).reshape(total)
