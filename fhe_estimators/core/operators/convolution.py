"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fhe_estimators.core.integers.builder import IntegerBuilder, Step
from fhe_estimators.core.integers.layout import pad_with
from fhe_estimators.core.integers.tensors import ClearIntegers, Encrypted, same_but_along
from fhe_estimators.core.integers.weights import MOST_ROWS, integer_weights
from fhe_estimators.core.operators._base import Operand, as_array, register
from fhe_estimators.core.operators._windows import (
    Axis,
    padding,
    spatial,
    window_axes,
    windows,
)
from fhe_estimators.core.operators.linear import Linear, laid_out

#: At most so many numbers are held in windows at a time.
_MOST_NUMBERS = 1 << 24
#: Below this, integers are numbers of double precision, and so are their sums.
_EXACT = 2.0**53


def patches(x, axes, group=1):
    """Return the elements of each window, in the order of a group's weights.

    Shape (n_rows, group, n_windows, n_channels / group * elements of a window).
    """
    n_rows, n_channels = x.shape[:2]
    view = windows(x, axes, 0)
    rank = len(axes)
    view = view.reshape(n_rows, group, n_channels // group, *view.shape[2:])
    order = (0, 1, *range(3, 3 + rank), 2, *range(3 + rank, 3 + 2 * rank))
    n_windows = int(np.prod([axis.n_windows for axis in axes]))
    return view.transpose(order).reshape(n_rows, group, n_windows, -1)


def convolved(x, w, axes, group):
    """Return the convolution, a few rows at a time."""
    n_filters = len(w)
    weights = w.reshape(group, n_filters // group, -1).swapaxes(1, 2)
    shape = (n_filters, *(axis.n_windows for axis in axes))
    numbers = int(np.prod(shape[1:])) * group * weights.shape[1]
    step = max(1, _MOST_NUMBERS // max(1, numbers))
    dtype = np.result_type(x, w)
    largest = weights.shape[1] * _magnitude(x) * _magnitude(w)
    if dtype.kind in "iu" and largest < _EXACT:
        # Products of floating-point numbers are much faster, and as exact.
        x, weights = x.astype(np.float64), weights.astype(np.float64)
    parts = [
        (patches(x[start : start + step], axes, group) @ weights).swapaxes(2, 3)
        for start in range(0, len(x), step)
    ]
    return np.concatenate(parts).reshape(len(x), *shape).astype(dtype, copy=False)


def _magnitude(array):
    return max(abs(float(array.min(initial=0))), abs(float(array.max(initial=0))))


@register("Conv", since=1)
class Conv(Linear):
    """``sum w[m, c, j] * x[n, c, window + j] + b[m]`` over channels `c` and places `j`.

    With encrypted `x` it is a product of windows and weights, which are rounded for each
    filter ``m``; the scale may differ from channel to channel. The integers of the padding
    are zero, whatever number zero stands for: that a window holds fewer numbers at the
    border changes the offset of its result. Offsets that differ in one filter are rounded
    to multiples of the scale and added, so that the tables of a filter are the same.
    """

    integer = True
    units = (1,)

    @staticmethod
    def f(
        x,
        w,
        b=None,
        *,
        auto_pad="NOTSET",
        dilations=None,
        group=1,
        kernel_shape=None,
        pads=None,
        strides=None,
    ):
        axes = window_axes(
            x.shape[2:],
            kernel_shape or w.shape[2:],
            auto_pad=auto_pad,
            dilations=dilations,
            pads=pads,
            strides=strides,
        )
        result = convolved(x, w, axes, group)
        return result if b is None else result + b.reshape(-1, *[1] * len(axes))

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Convolve the encrypted integers with integer weights."""
        x, w, b = (*operands, None)[:3]
        if not isinstance(x, Encrypted) or isinstance(w, Encrypted) or w is None:
            raise self.unsupported("x must be encrypted and w clear")
        if isinstance(b, Encrypted):
            raise self.unsupported("b must be clear")
        if not 3 <= len(x.shape) <= 5:
            raise self.unsupported(
                f"x has {len(x.shape) - 2} spatial axes; served are one, two and three"
            )
        result, group = self.node.outputs[0], self.attributes.get("group", 1)
        x = builder.materialize(x, self.node.inputs[0], units_along=(1,))
        axes = spatial(self, x.shape, np.shape(as_array(w))[2:])
        x = pad_with(builder, x, padding(axes), 0.0, f"{result}.padded")
        axes = tuple(axis.inside() for axis in axes)
        integers, scale, shift = self._weights(x, w, b, axes, builder)
        low = convolved(x.low, np.maximum(integers, 0), axes, group)
        low += convolved(x.high, np.minimum(integers, 0), axes, group)
        high = convolved(x.high, np.maximum(integers, 0), axes, group)
        high += convolved(x.low, np.minimum(integers, 0), axes, group)
        name = builder.emit(
            "Conv",
            (x.name, builder.constant(f"{result}.weights", integers)),
            low,
            high,
            result=result,
            group=group,
            strides=[axis.stride for axis in axes],
            dilations=[axis.dilation for axis in axes],
        )
        offset = np.broadcast_to(self._exact(x, w, b, axes) + shift, low.shape)
        scale = np.broadcast_to(scale, low.shape)
        used = integers.reshape(len(integers), -1).any(axis=1)
        used = scale * used.reshape(-1, *[1] * len(axes))
        builder.steps[result] = Step(np.broadcast_to(used, low.shape), of_weights=True)
        return _one_offset_a_filter(builder, Encrypted(name, scale, offset, low, high))

    @classmethod
    def summed_axes(cls, rank: int) -> tuple[int, ...]:
        """Return all axes of the weights of a filter."""
        return tuple(range(1, rank))

    def _exact(
        self, x: Encrypted, w: Operand, b: Operand, axes: Sequence[Axis]
    ) -> np.ndarray:
        """Return what the offset of `x` and the bias add to results: real numbers."""
        group = self.attributes.get("group", 1)
        exact: np.ndarray = convolved(x.offset, as_array(w), axes, group)
        if b is None:
            return exact
        return exact + np.reshape(as_array(b), (-1, *[1] * len(axes)))

    def _weights(
        self,
        x: Encrypted,
        w: np.ndarray | ClearIntegers,
        b: Operand,
        axes: Sequence[Axis],
        builder: IntegerBuilder,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return integer weights like `w`, and the scale and shift of each filter."""
        group = self.attributes.get("group", 1)
        exact = self._exact(x, w, b, axes)
        n_filters, n_windows = exact.shape[1], int(np.prod(exact.shape[2:]))
        # Windows are drawn from no more rows than there are needed.
        step = -(-len(builder.weights) * n_windows // (16 * MOST_ROWS))
        real = np.asarray(builder.real[self.node.outputs[0]])[::step]
        parts = len(real), group, n_filters // group, n_windows
        target = (real - exact).reshape(parts)
        magnitude = (np.abs(real) + np.abs(exact)).reshape(parts).max(axis=(0, 3))

        def of_groups(array: np.ndarray) -> np.ndarray:
            return array.reshape(group, n_filters // group, -1).swapaxes(1, 2)

        integers, scale, shift = integer_weights(
            patches(builder.samples[x.name][::step], axes, group),
            target.swapaxes(2, 3),
            patches(x.scale, axes, group)[0, :, 0],
            patches(x.is_constant, axes, group)[0].all(axis=1),
            laid_out(w, of_groups),
            builder.weights[::step],
            builder.weight_bits(self.node.outputs[0]),
            magnitude,
            self._step_of_filters(builder, exact.shape),
        )
        shape = (1, n_filters, *[1] * len(axes))
        weights = np.ascontiguousarray(integers.swapaxes(1, 2))
        return (
            weights.reshape(np.shape(as_array(w))),
            scale.reshape(shape),
            shift.reshape(shape),
        )

    def _step_of_filters(
        self, builder: IntegerBuilder, shape: tuple[int, ...]
    ) -> Step | None:
        """Return the step, of each filter, of what is added to it; None if unknown."""
        step = builder.step_of(self.node.outputs[0])
        if step is None or step.scale.shape != shape:
            return None
        if not same_but_along(step.scale, (1,)):
            return None
        filters = step.scale.reshape(shape[1], -1)[:, 0]
        return step._replace(scale=filters.reshape(self.attributes.get("group", 1), -1))


def _one_offset_a_filter(builder: IntegerBuilder, x: Encrypted) -> Encrypted:
    """Return the tensor with one offset a filter: integers take up the differences."""
    others = tuple(range(2, x.offset.ndim))
    usual = np.median(x.offset, axis=others, keepdims=True)
    steps = np.rint((x.offset - usual) / x.scale).astype(np.int64)
    offset = np.broadcast_to(usual, x.shape)
    if not np.any(steps):
        return Encrypted(x.name, x.scale, offset, x.low, x.high)
    low, high = x.low + steps, x.high + steps
    constant = builder.constant(f"{x.name}.border", steps)
    name = builder.emit("Add", (x.name, constant), low, high, result=f"{x.name}.level")
    return Encrypted(name, x.scale, offset, low, high)
