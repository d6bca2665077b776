"""Resizing: along each axis a matrix of weights, from the old elements to the new ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from fhe_estimators.core.operators._base import register
from fhe_estimators.core.operators._body import Writer
from fhe_estimators.core.operators.clear import ClearOnly
from fhe_estimators.exceptions import UnsupportedOperatorError

_NEAREST = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
}


def _places(mode, n_in, n_out, scale, start, end):
    """Return where the new elements lie among the old ones, (n_out,)."""
    x = np.arange(n_out)
    if mode == "align_corners":
        return x * (n_in - 1) / (scale * n_in - 1) if scale * n_in != 1 else 0.0 * x
    if mode == "asymmetric":
        return x / scale
    if mode == "tf_half_pixel_for_nn":
        return (x + 0.5) / scale
    if mode == "pytorch_half_pixel" and n_out == 1:
        return np.full(1, -0.5)
    if mode == "tf_crop_and_resize":
        if n_out == 1:
            return np.full(1, (start + end) * (n_in - 1) / 2)
        return start * (n_in - 1) + x * (end - start) * (n_in - 1) / (n_out - 1)
    if mode == "half_pixel_symmetric":
        shift = n_in / 2 * (1 - n_out / (scale * n_in))
        return shift + (x + 0.5) / scale - 0.5
    if mode not in ("half_pixel", "pytorch_half_pixel"):
        raise UnsupportedOperatorError(
            f"Resize: the coordinate_transformation_mode {mode!r} is not known."
        )
    return (x + 0.5) / scale - 0.5


def _linear(distance, a):
    return np.clip(1 - np.abs(distance), 0, 1)


def _cubic(distance, a):
    x = np.abs(distance)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


_KERNELS = {"linear": (1, _linear), "cubic": (2, _cubic)}


def weights_along(
    n_in,
    n_out,
    scale,
    roi,
    *,
    antialias,
    coordinate_transformation_mode,
    cubic_coeff_a,
    exclude_outside,
    mode,
    nearest_mode,
    **others,
):
    """Return the weights of old elements in new ones, and which of these lie outside."""
    places = _places(coordinate_transformation_mode, n_in, n_out, scale, *roi)
    outside = (places < 0) | (places > n_in - 1)
    outside &= coordinate_transformation_mode == "tf_crop_and_resize"
    matrix = np.zeros((n_out, n_in))
    rows = np.arange(n_out)
    if mode == "nearest":
        nearest = np.clip(_NEAREST[nearest_mode](places), 0, n_in - 1).astype(int)
        matrix[rows, nearest] = 1
        return matrix, outside
    reach, kernel = _KERNELS[mode]
    narrow = min(scale, 1.0) if antialias else 1.0
    first = np.floor(places).astype(int)
    near = int(np.ceil(reach / narrow))
    offsets = np.arange(1 - near, near + 1)
    index = first[:, None] + offsets
    weights = kernel(narrow * (index - places[:, None]), cubic_coeff_a)
    if exclude_outside:
        weights = np.where((index < 0) | (index >= n_in), 0, weights)
    if antialias or exclude_outside:
        weights = weights / weights.sum(axis=1, keepdims=True)
    np.add.at(matrix, (rows[:, None], np.clip(index, 0, n_in - 1)), weights)
    return matrix, outside


def _given(array):
    return None if array is None or not np.size(array) else np.asarray(array)


def matrices(shape, roi, scales, sizes, axes, keep_aspect_ratio_policy, options):
    """Return (axis, matrix, outside) for each axis that is resized."""
    axes = range(len(shape)) if axes is None else [axis % len(shape) for axis in axes]
    roi, scales, sizes = map(_given, (roi, scales, sizes))
    old = np.array([shape[axis] for axis in axes])
    if sizes is None:
        factors = np.asarray(scales, float)
    else:
        factors = sizes / old
        if keep_aspect_ratio_policy != "stretch":
            one = min if keep_aspect_ratio_policy == "not_larger" else max
            factors = np.full(len(old), one(factors))
            sizes = np.floor(factors * old + 0.5)
    is_cropped = options["coordinate_transformation_mode"] == "tf_crop_and_resize"
    ends = np.reshape(roi, (2, -1)).T if is_cropped and roi is not None else None
    for place, axis in enumerate(axes):
        start, end = (0.0, 1.0) if ends is None else ends[place]
        size = factors[place] * (end - start) * old[place]
        n_out = int(np.floor(size)) if sizes is None else int(sizes[place])
        matrix, outside = weights_along(
            shape[axis], n_out, float(factors[place]), (start, end), **options
        )
        if n_out != shape[axis] or (matrix != np.eye(n_out)).any() or outside.any():
            yield axis, matrix, outside


@register("Resize", since=11)
class Resize(ClearOnly):
    """The tensor with other sizes: the nearest elements, or sums of near ones."""

    @staticmethod
    def f(
        x,
        roi=None,
        scales=None,
        sizes=None,
        *,
        antialias=0,
        axes=None,
        coordinate_transformation_mode="half_pixel",
        cubic_coeff_a=-0.75,
        exclude_outside=0,
        extrapolation_value=0.0,
        keep_aspect_ratio_policy="stretch",
        mode="nearest",
        nearest_mode="round_prefer_floor",
    ):
        options = {
            "antialias": antialias,
            "coordinate_transformation_mode": coordinate_transformation_mode,
            "cubic_coeff_a": cubic_coeff_a,
            "exclude_outside": exclude_outside,
            "mode": mode,
            "nearest_mode": nearest_mode,
        }
        result = x
        found = matrices(
            x.shape, roi, scales, sizes, axes, keep_aspect_ratio_policy, options
        )
        for axis, matrix, outside in list(found):
            result = np.moveaxis(np.moveaxis(result, axis, -1) @ matrix.T, -1, axis)
            shape = [1] * x.ndim
            shape[axis] = -1
            result = np.where(outside.reshape(shape), extrapolation_value, result)
        return result.astype(x.dtype)

    @staticmethod
    def body(write: Writer) -> str:
        """Gather the nearest elements, or multiply by weights, along each axis."""
        options = {**_DEFAULTS, **write.node.attributes}
        axes = options.pop("axes", None)
        policy = options.pop("keep_aspect_ratio_policy", "stretch")
        shape, x = write.shape(0), write.input(0)
        sizes = [1 if size is None else size for size in shape]
        given = [write.needed(k) if write.input(k) else None for k in (1, 2, 3)]
        if given[2] is not None and given[2].size == len(sizes) and shape[0] is None:
            given[2] = np.array([1, *given[2][1:]])
        roi, scales, wanted = given
        found = matrices(sizes, roi, scales, wanted, axes, policy, options)
        for axis, matrix, outside in found:
            if axis == 0 or outside.any():
                raise write.unsupported("it resizes rows, or crops beyond the tensor")
            if options["mode"] == "nearest":
                places = write.integers(*matrix.argmax(axis=1))
                x = write("Gather", x, places, axis=axis)
                continue
            order = [*(k for k in range(len(shape)) if k != axis), axis]
            weights = write.constant(matrix.T.astype(np.float32))
            x = write("MatMul", write("Transpose", x, perm=order), weights)
            x = write("Transpose", x, perm=np.argsort(order).tolist())
        return x


_DEFAULTS: dict[str, Any] = {
    "antialias": 0,
    "coordinate_transformation_mode": "half_pixel",
    "cubic_coeff_a": -0.75,
    "exclude_outside": 0,
    "mode": "nearest",
    "nearest_mode": "round_prefer_floor",
}
#: What older versions do.
_OLD: dict[str, Any] = {
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}


@register("Resize", since=10)
class Resize10(Resize):
    """The same; sizes, and where elements lie, can be chosen since opset 11."""

    @staticmethod
    def f(x, scales, *, mode="nearest"):
        return Resize.f(x, None, scales, mode=mode, **_OLD)

    @staticmethod
    def body(write: Writer) -> str:
        """Write the newest version."""
        mode = write.attribute("mode", "nearest")
        return write("Resize", write.input(0), "", write.input(1), mode=mode, **_OLD)


@register("Upsample", since=9)
class Upsample(Resize10):
    """The older name of `Resize10`."""


@register("Upsample", since=7)
class Upsample7(Resize):
    """The same; the scales are an input since opset 9."""

    @staticmethod
    def f(x, *, mode="nearest", scales):
        return Resize10.f(x, scales, mode=mode)

    @staticmethod
    def body(write: Writer) -> str:
        """Make the scales a constant."""
        scales = write.constant(write.attribute("scales"), np.float32)
        return write.same(write.input(0), scales, without=("scales",))[0]
