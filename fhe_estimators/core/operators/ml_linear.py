"""Linear models of ai.onnx.ml, and the labels of classifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fhe_estimators.core.operators._base import QuantizedOp, register
from fhe_estimators.core.operators._body import Writer
from fhe_estimators.exceptions import UnsupportedOperatorError

#: The operator set.
DOMAIN = "ai.onnx.ml"
#: What is made of scores, of shape (n_rows, n_classes).
_TRANSFORMS = ("NONE", "LOGISTIC", "SOFTMAX", "PROBIT")
#: The operators that do so.
_OPERATORS = {"LOGISTIC": "Sigmoid", "SOFTMAX": "Softmax"}


def transformed(scores: np.ndarray, name: str, like: np.ndarray) -> np.ndarray:
    """Return scores after a transformation, in the floating point type of an array."""
    if name not in _TRANSFORMS:
        raise UnsupportedOperatorError(
            f"The post_transform {name!r} is not supported; supported: "
            f"{', '.join(_TRANSFORMS)}."
        )
    from scipy import special  # which workers of a server do without

    functions: dict[str, Any] = {
        "NONE": np.asarray,
        "LOGISTIC": special.expit,
        "SOFTMAX": lambda scores: special.softmax(scores, axis=1),
        "PROBIT": special.ndtri,
    }
    dtype = np.asarray(like).dtype
    result: np.ndarray = functions[name](scores)
    return result.astype(dtype if dtype.kind == "f" else np.float32)


def post_transform(write: Writer, scores: str, name: str) -> str:
    """Append a transformation of scores."""
    if name == "NONE":
        return scores
    if name not in _OPERATORS:
        raise write.unsupported(
            f"the post_transform {name!r}; supported: NONE, {', '.join(_OPERATORS)}"
        )
    options = {"axis": 1} if name == "SOFTMAX" else {}
    return write(_OPERATORS[name], scores, **options)


def labels_of(attributes: Mapping[str, Any]) -> np.ndarray:
    """Return the labels of a classifier."""
    for name in ("classlabels_int64s", "classlabels_ints"):
        if attributes.get(name):
            return np.asarray(attributes[name], np.int64)
    return np.asarray(attributes.get("classlabels_strings") or [])


def labelled(write: Writer, scores: str, attributes: Mapping[str, Any]) -> str:
    """Append the labels of the largest scores."""
    labels = labels_of(attributes)
    index = write("ArgMax", scores, axis=1, keepdims=0)
    values = "values_strings" if labels.dtype.kind == "U" else "values_int64s"
    keys = list(range(len(labels)))
    return write("LabelEncoder", index, keys_int64s=keys, **{values: labels.tolist()})


class Model(QuantizedOp):
    """Family base: encrypted, it is products with weights."""

    domain = DOMAIN
    encrypted = False
    holds_products = True

    def __call__(self, *arrays: Any) -> Any:
        """Return as many results as the node has."""
        results = super().__call__(*arrays)
        if not isinstance(results, tuple):
            return results
        return results[: len(self.node.outputs)]


def weights_of(coefficients: Sequence[float], n_outputs: int) -> np.ndarray:
    """Return coefficients as a matrix with a row for each output."""
    return np.asarray(coefficients, np.float32).reshape(n_outputs, -1)


@register("LinearRegressor", since=1)
class LinearRegressor(Model):
    """``x @ coefficients' + intercepts``."""

    @staticmethod
    def f(x, *, coefficients=None, intercepts=None, post_transform="NONE", targets=1):
        scores = x @ weights_of(coefficients, targets).T
        scores = scores + np.asarray(intercepts or 0.0, np.float32)
        return transformed(scores, post_transform, x)

    @staticmethod
    def body(write: Writer) -> str:
        """Multiply by the coefficients."""
        scores = _product(write, write.attribute("targets", 1))
        return post_transform(write, scores, write.attribute("post_transform", "NONE"))


def _product(write: Writer, n_outputs: int) -> str:
    weights = weights_of(write.attribute("coefficients"), n_outputs)
    inputs = [write.input(0), write.constant(weights)]
    if write.attribute("intercepts"):
        inputs.append(write.constant(write.attribute("intercepts"), np.float32))
    return write("Gemm", *inputs, transB=1)


@register("LinearClassifier", since=1)
class LinearClassifier(Model):
    """The label of the largest score, and the scores ``x @ coefficients' + intercepts``."""

    @staticmethod
    def f(
        x,
        *,
        classlabels_ints=None,
        classlabels_strings=None,
        coefficients,
        intercepts=None,
        multi_class=0,
        post_transform="NONE",
    ):
        labels = labels_of(locals())
        weights = weights_of(coefficients, len(intercepts or labels))
        scores = x @ weights.T + np.asarray(intercepts or 0.0, np.float32)
        if scores.shape[1] == 1 and len(labels) == 2:
            scores = np.concatenate([-scores, scores], axis=1)
        scores = transformed(scores, post_transform, x)
        return labels[np.argmax(scores, axis=1)], scores

    @staticmethod
    def body(write: Writer) -> list[str]:
        """Multiply by the coefficients, and choose the largest score."""
        attributes = write.node.attributes
        labels = labels_of(attributes)
        n_outputs = len(write.attribute("intercepts") or labels)
        scores = _product(write, n_outputs)
        if n_outputs == 1:
            if len(labels) != 2:
                raise write.unsupported("it has one score, and not two labels")
            scores = write("Concat", write("Neg", scores), scores, axis=1)
        scores = post_transform(write, scores, write.attribute("post_transform", "NONE"))
        return [labelled(write, scores, attributes), scores]
