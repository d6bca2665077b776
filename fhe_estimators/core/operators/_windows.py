"""Windows over the spatial axes: what convolutions and pools look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from fhe_estimators.core.operators._base import QuantizedOp


class Axis(NamedTuple):
    """Windows along one spatial axis.

    Window ``i`` holds the elements ``i * stride + j * dilation - begin`` for `j` from 0 to
    ``kernel - 1``; those outside of ``[0, size)`` are padding.

    Parameters
    ----------
    size : int
        Elements of the axis.
    kernel, stride, dilation : int
    begin, end : int
        Padding that was asked for.
    n_windows : int
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int
    n_windows: int

    @property
    def extent(self) -> int:
        """Elements from the first to the last of a window."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def padding(self) -> tuple[int, int]:
        """Elements to add in front and behind; negative where some are not read.

        A last window that is not whole reads beyond the padding that was asked for.
        """
        read = (self.n_windows - 1) * self.stride + self.extent
        return self.begin, read - self.begin - self.size

    def inside(self) -> Axis:
        """Return the windows in the padded tensor: places start at 0, nothing to add."""
        begin, end = self.padding
        size = begin + self.size + max(end, 0)
        return self._replace(size=size, begin=0, end=0)

    def places(self) -> np.ndarray:
        """Return the place of each element of each window, (n_windows, kernel)."""
        windows = np.arange(self.n_windows)[:, np.newaxis] * self.stride
        return windows + np.arange(self.kernel) * self.dilation - self.begin

    def counts(self, *, padding: bool) -> np.ndarray:
        """Return how many elements each window holds, (n_windows,).

        Padding that was asked for counts if `padding`; what lies beyond it never does.
        """
        places, margin = self.places(), (self.begin, self.end) if padding else (0, 0)
        inside = (places >= -margin[0]) & (places < self.size + margin[1])
        return inside.sum(axis=1)


def window_axes(
    shape: Sequence[int],
    kernel_shape: Sequence[int],
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> tuple[Axis, ...]:
    """Return the windows along each spatial axis.

    Parameters
    ----------
    shape : sequence of int
        Sizes of the spatial axes.
    kernel_shape, auto_pad, ceil_mode, dilations, pads, strides
        As in the ONNX specification of ``Conv`` and ``AveragePool``.
    """
    rank = len(shape)
    dilations, strides = dilations or [1] * rank, strides or [1] * rank
    pads = pads or [0] * 2 * rank
    axes = []
    for place, size in enumerate(shape):
        kernel, stride, dilation = kernel_shape[place], strides[place], dilations[place]
        extent = dilation * (kernel - 1) + 1
        if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            n_windows = -(-size // stride)
            total = max((n_windows - 1) * stride + extent - size, 0)
            less, more = total // 2, total - total // 2
            begin, end = (less, more) if auto_pad == "SAME_UPPER" else (more, less)
        else:
            begin, end = (
                (0, 0) if auto_pad == "VALID" else (pads[place], pads[place + rank])
            )
            steps = size + begin + end - extent
            n_windows = (-(-steps // stride) if ceil_mode else steps // stride) + 1
            # A window that starts in the padding behind the tensor is none.
            if ceil_mode and (n_windows - 1) * stride >= size + begin:
                n_windows -= 1
        axes.append(Axis(size, kernel, stride, dilation, begin, end, n_windows))
    return tuple(axes)


def spatial(
    operator: QuantizedOp, shape: Sequence[int], kernel: Sequence[int] | None = None
) -> tuple[Axis, ...]:
    """Return the windows of a node, one `Axis` for each spatial axis.

    Parameters
    ----------
    operator : QuantizedOp
    shape : sequence of int
        Of a tensor: rows, channels, spatial axes.
    kernel : sequence of int, optional
        Shape of a window; that which the node sets by default.
    """
    known = ("auto_pad", "ceil_mode", "dilations", "pads", "strides")
    attributes = operator.attributes
    options = {name: attributes[name] for name in known if name in attributes}
    kernel = attributes["kernel_shape"] if kernel is None else kernel
    return window_axes(shape[2:], kernel, **options)


def padding(axes: Sequence[Axis]) -> list[tuple[int, int]]:
    """Return the elements to add in front of and behind each axis of a tensor."""
    widths = [axis.padding for axis in axes]
    return [(0, 0), (0, 0), *((begin, max(end, 0)) for begin, end in widths)]


def padded(x: np.ndarray, axes: Sequence[Axis], fill: Any) -> np.ndarray:
    """Return `x` with exactly the elements that its windows read; padding is `fill`."""
    widths = [(0, 0), (0, 0), *(axis.padding for axis in axes)]
    kept = tuple(slice(0, min(end, 0) or None) for _, end in widths)
    widths = [(begin, max(end, 0)) for begin, end in widths]
    return np.pad(x[kept], widths, constant_values=fill)


def windows(x: np.ndarray, axes: Sequence[Axis], fill: Any) -> np.ndarray:
    """Return the windows of `x`; padding is `fill`.

    Parameters
    ----------
    x : ndarray of shape (n_rows, n_channels, *sizes)

    Returns
    -------
    view : ndarray of shape (n_rows, n_channels, *numbers of windows, *kernel)
    """
    rank = len(axes)
    view = sliding_window_view(  # type: ignore[call-overload]  # numpy's stub lags behind
        padded(x, axes, fill),
        [axis.extent for axis in axes],
        axis=range(2, 2 + rank),
    )
    strides = [slice(None, None, axis.stride) for axis in axes]
    dilations = [slice(None, None, axis.dilation) for axis in axes]
    return view[(slice(None), slice(None), *strides, *dilations)]


def spread(counts: Iterator[np.ndarray] | Sequence[np.ndarray]) -> np.ndarray:
    """Return the outer product of arrays, of shape (len(a), len(b), ...)."""
    result = np.ones(())
    for array in counts:
        result = np.multiply.outer(result, array)
    return result
