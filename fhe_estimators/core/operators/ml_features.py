"""Operators of ai.onnx.ml that prepare features and decode labels, in clear."""

from __future__ import annotations

from typing import Any

import numpy as np

from fhe_estimators.core.operators._base import register
from fhe_estimators.core.operators._body import Writer
from fhe_estimators.core.operators.clear import ClearOnly
from fhe_estimators.core.operators.ml_linear import DOMAIN
from fhe_estimators.exceptions import UnsupportedOperatorError


class Feature(ClearOnly):
    """Family base."""

    domain = DOMAIN


def _float(x):
    return x if np.asarray(x).dtype.kind == "f" else np.asarray(x).astype(np.float32)


@register("Scaler", since=1)
class Scaler(Feature):
    """``(x - offset) * scale``."""

    @staticmethod
    def f(x, *, offset=None, scale=None):
        x = _float(x)
        shifted = x - np.asarray(0.0 if offset is None else offset, np.float32)
        return (shifted * np.asarray(1.0 if scale is None else scale, np.float32)).astype(
            x.dtype
        )

    @staticmethod
    def body(write: Writer) -> str:
        """Subtract and multiply."""
        offset = write.constant(write.attribute("offset", 0.0), np.float32)
        scale = write.constant(write.attribute("scale", 1.0), np.float32)
        return write("Mul", write("Sub", write.input(0), offset), scale)


@register("Normalizer", since=1)
class Normalizer(Feature):
    """``x`` over its largest magnitude, or its norm, in each row."""

    @staticmethod
    def f(x, *, norm="MAX"):
        x = _float(x)
        norms = {
            "MAX": lambda: np.abs(x).max(axis=1, keepdims=True),
            "L1": lambda: np.abs(x).sum(axis=1, keepdims=True),
            "L2": lambda: np.sqrt((x * x).sum(axis=1, keepdims=True)),
        }
        size = norms[norm]()
        return x / np.where(size == 0, np.asarray(1, x.dtype), size)


@register("Imputer", since=1)
class Imputer(Feature):
    """``x`` with a number of each feature in the place of one that stands for no number."""

    takes_infinity = True

    @staticmethod
    def f(
        x,
        *,
        imputed_value_floats=None,
        imputed_value_int64s=None,
        replaced_value_float=0.0,
        replaced_value_int64=0,
    ):
        if imputed_value_floats:
            values, gone = imputed_value_floats, replaced_value_float
        else:
            values, gone = imputed_value_int64s, replaced_value_int64
        missing = np.isnan(x) if gone != gone else x == gone
        return np.where(missing, np.asarray(values), x).astype(x.dtype)


@register("Binarizer", since=1)
class Binarizer(Feature):
    """1 above a threshold, else 0."""

    @staticmethod
    def f(x, *, threshold=0.0):
        return (x > np.float32(threshold)).astype(x.dtype)

    @staticmethod
    def body(write: Writer) -> str:
        """Compare."""
        threshold = write.constant(write.attribute("threshold", 0.0), np.float32)
        return write("Cast", write("Greater", write.input(0), threshold), to=1)


@register("OneHotEncoder", since=1)
class OneHotEncoder(Feature):
    """A new axis: 1 at the place of a category, else 0."""

    @staticmethod
    def f(x, *, cats_int64s=None, cats_strings=None, zeros=1):
        categories = np.asarray(cats_int64s or cats_strings)
        found = np.asarray(x)[..., np.newaxis] == categories
        if not zeros and not found.any(axis=-1).all():
            raise ValueError("a category that the encoder does not know")
        return found.astype(np.float32)


@register("LabelEncoder", since=1)
class LabelEncoder(Feature):
    """The value of a key; a default for those that are not known.

    The first version has a list of texts, whose places are their keys.
    """

    @staticmethod
    def f(
        x,
        *,
        classes_strings=None,
        default_float=-0.0,
        default_int64=-1,
        default_string="_Unused",
        default_tensor=None,
        keys_floats=None,
        keys_int64s=None,
        keys_strings=None,
        keys_tensor=None,
        values_floats=None,
        values_int64s=None,
        values_strings=None,
        values_tensor=None,
    ):
        x = np.asarray(x)
        if classes_strings:
            places = list(range(len(classes_strings)))
            if x.dtype.kind in "iuf":
                keys_int64s, values_strings = places, classes_strings
            else:
                keys_strings, values_int64s = classes_strings, places
        given = (keys_floats, keys_int64s, keys_strings, keys_tensor)
        keys = np.ravel(next(each for each in given if each is not None))
        kinds: list[tuple[Any, Any, Any]] = [
            (values_floats, default_float, np.float32),
            (values_int64s, default_int64, np.int64),
            (values_strings, default_string, np.str_),
            (values_tensor, default_tensor, None),
        ]
        values, default, dtype = next(kind for kind in kinds if kind[0] is not None)
        if dtype is None:
            dtype = np.asarray(values).dtype
            default = np.ravel(np.zeros(1, dtype) if default is None else default)[0]
        table = dict(zip(keys.tolist(), np.ravel(values).tolist(), strict=True))
        unknown = table.get(float("nan"), default)
        if keys.dtype.kind == "f":
            for key, value in zip(keys.tolist(), np.ravel(values).tolist(), strict=True):
                unknown = value if key != key else unknown
        numbers = np.ravel(x).tolist()
        found = [
            table.get(number, unknown if number != number else default)
            for number in numbers
        ]
        return np.asarray(found, dtype).reshape(x.shape)


@register("CategoryMapper", since=1)
class CategoryMapper(Feature):
    """Integers of texts, or texts of integers."""

    @staticmethod
    def f(x, *, cats_int64s, cats_strings, default_int64=-1, default_string="_Unused"):
        if np.asarray(x).dtype.kind in "iuf":
            options = {"keys_int64s": cats_int64s, "values_strings": cats_strings}
        else:
            options = {"keys_strings": cats_strings, "values_int64s": cats_int64s}
        return LabelEncoder.f(
            x, default_int64=default_int64, default_string=default_string, **options
        )


@register("FeatureVectorizer", since=1)
class FeatureVectorizer(Feature):
    """Features side by side, as many of each input as is said."""

    @staticmethod
    def f(*inputs, inputdimensions=None):
        parts = []
        for place, array in enumerate(inputs):
            part = np.reshape(array, (len(array), -1))
            size = inputdimensions[place] if inputdimensions else part.shape[1]
            missing = max(0, size - part.shape[1])
            parts.append(np.pad(part[:, :size], ((0, 0), (0, missing))))
        return np.concatenate(parts, axis=1)


@register("ArrayFeatureExtractor", since=1)
class ArrayFeatureExtractor(Feature):
    """Elements of the last axis by their places."""

    @staticmethod
    def f(x, places):
        found = x[..., np.ravel(places)]
        return found.reshape(1, -1) if np.ndim(x) == 1 else found

    @staticmethod
    def body(write: Writer) -> str:
        """Gather along the last axis."""
        flat = write("Reshape", write.input(1), write.integers(-1))
        return write("Gather", write.input(0), flat, axis=-1)


@register("ZipMap", since=1)
class ZipMap(Feature):
    """The probabilities as they are, a column for each label: no map for each row."""

    @staticmethod
    def f(x, *, classlabels_int64s=None, classlabels_strings=None):
        if np.ndim(x) != 2:
            raise UnsupportedOperatorError("ZipMap is supported for probabilities only.")
        return x
