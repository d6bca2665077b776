"""Transposed convolutions: convolutions of images with zeros between their elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fhe_estimators.core.operators._base import QuantizedOp, register
from fhe_estimators.core.operators._body import Writer
from fhe_estimators.core.operators.convolution import Conv


def _margins(sizes, kernel, strides, dilations, attributes):
    """Return the elements to add in front of and behind each axis; may be negative."""
    pads = attributes.get("pads") or [0] * 2 * len(sizes)
    more = attributes.get("output_padding") or [0] * len(sizes)
    wanted = attributes.get("output_shape")
    same = str(attributes.get("auto_pad", "NOTSET")).startswith("SAME")
    upper = attributes.get("auto_pad") == "SAME_UPPER"
    for place, size in enumerate(sizes):
        extent = dilations[place] * (kernel[place] - 1)
        begin, end = pads[place], pads[place + len(sizes)]
        if wanted is not None or same:
            target = size * strides[place]
            if wanted is not None:
                target = wanted[len(wanted) - len(sizes) + place]
            full = strides[place] * (size - 1) + more[place] + extent + 1
            total = full - target
            begin, end = total // 2, total - total // 2
            if not upper:
                begin, end = end, begin
        yield extent - begin, extent - end + more[place]


class _Images:
    """What is done to arrays and tensors alike: each operator as a call."""

    def __init__(self, apply: Callable[..., Any], integers: Callable[..., Any]) -> None:
        self.apply, self.integers = apply, integers

    def transposed(self, x, w, shape, kernel_shape, attributes):
        """Return the convolution of `x`, of a given shape, with turned weights."""
        sizes, rank = shape[2:], len(shape) - 2
        kernel, group = kernel_shape[2:], attributes.get("group", 1)
        strides = attributes.get("strides") or [1] * rank
        dilations = attributes.get("dilations") or [1] * rank
        if max(strides) > 1:
            apart = [n for size in sizes for n in (size, 1)]
            x = self.apply("Reshape", x, self.integers(0, shape[1], *apart))
            widths = [(0, 0)] * 2 + [w for s in strides for w in ((0, 0), (0, s - 1))]
            x = self.apply("Pad", x, self.integers(*np.array(widths).T.ravel()))
            wide = [size * stride for size, stride in zip(sizes, strides, strict=True)]
            x = self.apply("Reshape", x, self.integers(0, shape[1], *wide))
        margins = _margins(sizes, kernel, strides, dilations, attributes)
        widths = [
            (begin, end - stride + 1)
            for (begin, end), stride in zip(margins, strides, strict=True)
        ]
        pads = np.array([(0, 0), (0, 0), *widths]).T.ravel()
        x = self.apply("Pad", x, self.integers(*pads))
        n_in, n_out = kernel_shape[:2]
        parts = self.integers(group, n_in // group, n_out, *kernel)
        w = self.apply("Reshape", w, parts)
        w = self.apply("Transpose", w, perm=[0, 2, 1, *range(3, 3 + rank)])
        w = self.apply("Reshape", w, self.integers(group * n_out, n_in // group, *kernel))
        last, beyond = [-1] * rank, [-(2**31)] * rank
        ends = self.integers(*last), self.integers(*beyond)
        axes = self.integers(*range(2, 2 + rank))
        w = self.apply("Slice", w, *ends, axes, self.integers(*last))
        return x, w, {"group": group, "dilations": list(dilations)}


@register("ConvTranspose", since=1)
class ConvTranspose(QuantizedOp):
    """The transpose of the linear map that `Conv` is, as a layer that enlarges images.

    With ``stride - 1`` zeros between the elements of an image, and margins, it is a
    convolution with the weights turned around.
    """

    encrypted = False
    holds_products = True

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
        output_padding=None,
        output_shape=None,
        pads=None,
        strides=None,
    ):
        from fhe_estimators.core.operators._base import lookup

        def apply(op, *arrays, **attributes):
            return lookup(op, 21).f(*arrays, **attributes)

        given = {
            "auto_pad": auto_pad,
            "dilations": dilations,
            "group": group,
            "output_padding": output_padding,
            "output_shape": output_shape,
            "pads": pads,
            "strides": strides,
        }
        images = _Images(apply, lambda *numbers: np.array(numbers, np.int64))
        x, w, options = images.transposed(x, w, x.shape, w.shape, given)
        return Conv.f(x, w, b, **options)

    @staticmethod
    def body(write: Writer) -> str:
        """Put zeros between elements, and convolve."""
        images = _Images(write, write.integers)
        shape, kernel_shape = (_whole(write.shape(place)) for place in (0, 1))
        x, w, options = images.transposed(
            write.input(0), write.input(1), shape, kernel_shape, write.node.attributes
        )
        bias = [write.input(2)] if write.input(2) else []
        return write("Conv", x, w, *bias, **options)


def _whole(shape: Sequence[int | None]) -> list[int]:
    return [int(size or 0) for size in shape]
