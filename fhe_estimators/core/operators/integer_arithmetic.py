"""Operators of quantized files: integers, with the numbers that they stand for.

Where they are encrypted, `core.rewrite` writes them as real numbers on grids, so that the
integers of the file are used as they are; see `on_grids` there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fhe_estimators.core.graph import Node
from fhe_estimators.core.integers.tensors import Grid
from fhe_estimators.core.operators import table
from fhe_estimators.core.operators._base import QuantizedOp, register
from fhe_estimators.core.operators._body import Writer
from fhe_estimators.core.operators.convolution import Conv
from fhe_estimators.core.operators.quantized import OntoGrid
from fhe_estimators.exceptions import UnsupportedOperatorError

#: Types of integers that tensors are quantized to (TensorProto.DataType).
_INTEGERS = {2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32}


def along(parameter: Any, rank: int, axis: int) -> Any:
    """Return a scale or zero point with its elements along an axis, if it has several."""
    array = np.asarray(parameter)
    if array.size == 1:
        return array.reshape(())
    shape = [1] * rank
    shape[axis] = -1
    return array.reshape(shape)


class Integral(QuantizedOp):
    """Family base: it reads or writes integers of a file."""

    encrypted = False
    trained = True

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        if node.attributes.get("block_size"):
            raise UnsupportedOperatorError(
                f"Node {node} is not supported: it has a scale for each block of elements. "
                "Quantize tensors as a whole, or by channel."
            )


@register("QuantizeLinear", since=10)
class QuantizeLinear(Integral):
    """The nearest integers to ``x / scale``, plus the zero point, in its type."""

    @staticmethod
    def f(
        x,
        y_scale,
        y_zero_point=None,
        *,
        axis=1,
        block_size=0,
        output_dtype=0,
        saturate=1,
    ):
        if output_dtype and output_dtype not in _INTEGERS:
            raise UnsupportedOperatorError(
                f"QuantizeLinear: the element type {output_dtype} is not supported."
            )
        default = np.zeros((), _INTEGERS.get(output_dtype, np.uint8))
        zero = default if y_zero_point is None else np.asarray(y_zero_point)
        if zero.dtype.kind not in "iu":
            raise UnsupportedOperatorError(
                f"QuantizeLinear: zero points of type {zero.dtype} are not supported."
            )
        ends = np.iinfo(zero.dtype)
        nearest = np.rint(x / along(y_scale, x.ndim, axis))
        shifted = nearest + along(zero, x.ndim, axis).astype(np.int64)
        return np.clip(shifted, ends.min, ends.max).astype(zero.dtype)


@register("DequantizeLinear", since=10)
class DequantizeLinear(Integral):
    """``(x - zero point) * scale``."""

    @staticmethod
    def f(x, x_scale, x_zero_point=None, *, axis=1, block_size=0):
        zero = 0 if x_zero_point is None else along(x_zero_point, x.ndim, axis)
        if np.asarray(x).dtype.kind not in "iu":
            raise UnsupportedOperatorError(
                f"DequantizeLinear: elements of type {x.dtype} are not supported."
            )
        whole = x.astype(np.int64) - np.asarray(zero).astype(np.int64)
        scale = along(x_scale, x.ndim, axis)
        return (whole * scale).astype(np.asarray(x_scale).dtype)


@register("QuantizeDequantize", since=1)
class QuantizeDequantize(OntoGrid):
    """The nearest of ``scale * (q - zero_point)`` for ``low <= q <= high``.

    What `QuantizeLinear` and then `DequantizeLinear` give.
    """

    domain = table.DOMAIN

    @staticmethod
    def f(x, scale, zero_point, low, high):
        scale = np.asarray(scale, float)
        q = np.clip(np.rint(np.asarray(x, float) / scale) + zero_point, low, high)
        return (q - zero_point) * scale

    def grid(self, scale, zero_point, low, high):
        """Return the grid: of integers less the zero point where there is one."""
        scale, zero = np.asarray(scale, float), np.asarray(zero_point)
        ends = [int(np.max(end)) for end in (low, high)]
        if zero.size > 1 and (zero != zero.flat[0]).any():
            return Grid(scale, -scale * zero, *ends)
        shift = int(np.max(zero))
        return Grid(scale, np.zeros(1), *(end - shift for end in ends))


class QLinear(Integral):
    """Family base: integers are read as numbers, and results rounded to integers.

    `inputs` are the places of scales behind the tensors that are read; the last scale is
    that of the result.
    """

    holds_products = True


def _rounded(result, scale, zero):
    return QuantizeLinear.f(np.asarray(result, float), scale, zero)


def _number(x, scale, zero, axis=1):
    return DequantizeLinear.f(x, np.asarray(scale, float), zero, axis=axis)


def _read(write: Writer, place: int, axis: int = 1) -> str:
    """Append the numbers of a tensor whose scale and zero point follow it."""
    inputs = [write.input(place + k) for k in range(3)]
    return write("DequantizeLinear", *inputs, axis=axis)


@register("QLinearMatMul", since=10)
class QLinearMatMul(QLinear):
    """The product of matrices of integers, rounded."""

    @staticmethod
    def f(
        a,
        a_scale,
        a_zero_point,
        b,
        b_scale,
        b_zero_point,
        y_scale,
        y_zero_point,
    ):
        left = _number(a, a_scale, a_zero_point, a.ndim - 2)
        right = _number(b, b_scale, b_zero_point, b.ndim - 1)
        return _rounded(left @ right, y_scale, y_zero_point)

    @staticmethod
    def body(write: Writer) -> str:
        """Multiply numbers, and round."""
        right = _read(write, 3, len(write.shape(3)) - 1)
        product = write("MatMul", _read(write, 0), right)
        return write("QuantizeLinear", product, write.input(6), write.input(7))


@register("QLinearConv", since=10)
class QLinearConv(QLinear):
    """The convolution of images of integers, rounded."""

    @staticmethod
    def f(
        x,
        x_scale,
        x_zero_point,
        w,
        w_scale,
        w_zero_point,
        y_scale,
        y_zero_point,
        b=None,
        *,
        auto_pad="NOTSET",
        dilations=None,
        group=1,
        kernel_shape=None,
        pads=None,
        strides=None,
    ):
        images, weights = (
            _number(x, x_scale, x_zero_point),
            _number(w, w_scale, w_zero_point, 0),
        )
        if b is not None:
            b = b * (np.asarray(x_scale, float) * w_scale)
        result = Conv.f(
            images,
            weights,
            b,
            auto_pad=auto_pad,
            dilations=dilations,
            group=group,
            kernel_shape=kernel_shape,
            pads=pads,
            strides=strides,
        )
        return _rounded(result, y_scale, y_zero_point)

    @staticmethod
    def body(write: Writer) -> str:
        """Convolve numbers, and round."""
        inputs = [_read(write, 0), _read(write, 3, 0)]
        if write.input(8):
            scale = write("Mul", write.input(1), write.input(4))
            inputs.append(write("DequantizeLinear", write.input(8), scale, axis=0))
        result = write("Conv", *inputs, **write.node.attributes)
        return write("QuantizeLinear", result, write.input(6), write.input(7))


def _centred(x, zero, axis):
    x = np.asarray(x).astype(np.int32)
    return x if zero is None else x - along(zero, x.ndim, axis).astype(np.int32)


@register("MatMulInteger", since=10)
class MatMulInteger(Integral):
    """The product of matrices of integers, as integers of 32 bits."""

    holds_products = True

    @staticmethod
    def f(a, b, a_zero_point=None, b_zero_point=None):
        left = _centred(a, a_zero_point, np.ndim(a) - 2)
        return left @ _centred(b, b_zero_point, np.ndim(b) - 1)

    @staticmethod
    def body(write: Writer) -> str:
        """Multiply numbers of scale one."""
        axes = -2, len(write.shape(1)) - 1
        return write("MatMul", *_whole(write, axes))


@register("ConvInteger", since=10)
class ConvInteger(Integral):
    """The convolution of images of integers, as integers of 32 bits."""

    holds_products = True

    @staticmethod
    def f(
        x,
        w,
        x_zero_point=None,
        w_zero_point=None,
        *,
        auto_pad="NOTSET",
        dilations=None,
        group=1,
        kernel_shape=None,
        pads=None,
        strides=None,
    ):
        return Conv.f(
            _centred(x, x_zero_point, 1),
            _centred(w, w_zero_point, 0),
            auto_pad=auto_pad,
            dilations=dilations,
            group=group,
            kernel_shape=kernel_shape,
            pads=pads,
            strides=strides,
        )

    @staticmethod
    def body(write: Writer) -> str:
        """Convolve numbers of scale one."""
        return write("Conv", *_whole(write, (1, 0)), **write.node.attributes)


def _whole(write: Writer, axes: Sequence[int]) -> list[str]:
    """Append the two operands of a node as numbers of scale one."""
    one = write.constant(np.float32(1))
    return [
        write(
            "DequantizeLinear",
            write.input(place),
            one,
            *([write.input(place + 2)] if write.input(place + 2) else []),
            axis=axis,
        )
        for place, axis in enumerate(axes)
    ]


#: The operators that onnxruntime adds for quantized files.
MICROSOFT = "com.microsoft"


@register("QGemm", since=1)
class QGemm(QLinear):
    """``alpha * A' @ B' + C`` of integers, rounded; a prime is a transposition."""

    domain = MICROSOFT

    @staticmethod
    def f(
        a,
        a_scale,
        a_zero_point,
        b,
        b_scale,
        b_zero_point,
        c=None,
        y_scale=None,
        y_zero_point=None,
        *,
        alpha=1.0,
        transA=0,
        transB=0,
    ):
        left = _number(a, a_scale, a_zero_point)
        right = _number(b, b_scale, b_zero_point, 0 if transB else 1)
        result = alpha * ((left.T if transA else left) @ (right.T if transB else right))
        if c is not None:
            result = result + c * (alpha * np.asarray(a_scale, float) * b_scale)
        return result if y_scale is None else _rounded(result, y_scale, y_zero_point)

    @staticmethod
    def body(write: Writer) -> str:
        """Multiply numbers, and round."""
        options = dict(write.node.attributes)
        inputs = [_read(write, 0), _read(write, 3, 0 if options.get("transB") else 1)]
        if write.input(6):
            factor = write.constant(write.attribute("alpha", 1.0), np.float32)
            scale = write("Mul", write("Mul", write.input(1), write.input(4)), factor)
            inputs.append(write("DequantizeLinear", write.input(6), scale, axis=0))
        result = write("Gemm", *inputs, **options)
        if not write.input(7):
            return result
        return write("QuantizeLinear", result, write.input(7), write.input(8))


class QLinearPair(QLinear):
    """Family base: a function of two tensors of integers, rounded."""

    domain = MICROSOFT

    @classmethod
    def body(cls, write: Writer) -> str:
        """Apply the operator of numbers, and round."""
        op = cls.op_type.removeprefix("QLinear")
        result = write(op, _read(write, 0), _read(write, 3))
        return write("QuantizeLinear", result, write.input(6), write.input(7))


@register("QLinearAdd", since=1)
class QLinearAdd(QLinearPair):
    """The sum, rounded."""

    @staticmethod
    def f(a, a_scale, a_zero, b, b_scale, b_zero, c_scale, c_zero=None):
        total = _number(a, a_scale, a_zero) + _number(b, b_scale, b_zero)
        return _rounded(total, c_scale, c_zero)


@register("QLinearMul", since=1)
class QLinearMul(QLinearPair):
    """The product, rounded."""

    @staticmethod
    def f(a, a_scale, a_zero, b, b_scale, b_zero, c_scale, c_zero=None):
        product = _number(a, a_scale, a_zero) * _number(b, b_scale, b_zero)
        return _rounded(product, c_scale, c_zero)
