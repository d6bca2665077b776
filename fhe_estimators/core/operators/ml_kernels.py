"""Support vector machines of ai.onnx.ml."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from fhe_estimators.core.operators import table
from fhe_estimators.core.operators._base import register
from fhe_estimators.core.operators._body import Writer
from fhe_estimators.core.operators.clear import ClearOnly
from fhe_estimators.core.operators.ml_linear import (
    Model,
    labelled,
    labels_of,
    post_transform,
    transformed,
    weights_of,
)
from fhe_estimators.exceptions import UnsupportedOperatorError


def _kernel(write: Writer, vectors: np.ndarray) -> str:
    """Append the kernels of rows with support vectors, of shape (n_rows, n_vectors)."""
    kind = write.attribute("kernel_type", "LINEAR")
    gamma, shift, degree = (*(write.attribute("kernel_params") or []), 0, 0, 0)[:3]
    x = write.input(0)
    if kind == "RBF":
        # -gamma * |x - v|**2 is linear in x and |x|**2, which the client computes.
        square = write("ReduceSumSquare", x, write.integers(1), keepdims=1)
        joined = write("Concat", x, square, axis=1)
        norms = (vectors**2).sum(axis=1)
        weights = np.c_[2 * vectors, -np.ones(len(vectors))] * gamma
        inner = write(
            "Gemm",
            joined,
            write.constant(weights, np.float32),
            write.constant(-gamma * norms, np.float32),
            transB=1,
        )
        return write("Exp", inner)
    scale = 1.0 if kind == "LINEAR" else gamma
    weights = write.constant(scale * vectors, np.float32)
    inner = write("Gemm", x, weights, transB=1)
    if kind == "LINEAR":
        return inner
    inner = write("Add", inner, write.constant(shift, np.float32))
    if kind == "POLY":
        return write("Pow", inner, write.constant(degree, np.float32))
    if kind == "SIGMOID":
        return write("Tanh", inner)
    raise write.unsupported(f"the kernel {kind!r} is not known")


def kernels_of(x, vectors, kernel_type, kernel_params):
    """Return the kernels of rows with support vectors, of shape (n_rows, n_vectors)."""
    gamma, shift, degree = (*(kernel_params or []), 0, 0, 0)[:3]
    inner = x @ vectors.T
    if kernel_type == "LINEAR":
        return inner
    if kernel_type == "POLY":
        return (gamma * inner + shift) ** degree
    if kernel_type == "SIGMOID":
        return np.tanh(gamma * inner + shift)
    squares = (x**2).sum(axis=1, keepdims=True) + (vectors**2).sum(axis=1) - 2 * inner
    return np.exp(-gamma * squares)


def _pairs(n_classes: int) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(n_classes), 2))


def _between_classes(attributes: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return support vectors, and their weights for each pair of classes.

    Returns
    -------
    vectors : ndarray of shape (n_vectors, n_features)
    weights : ndarray of shape (n_vectors, n_pairs)
    """
    counts = attributes.get("vectors_per_class") or []
    if not counts:
        raise UnsupportedOperatorError("SVMClassifier is supported with support vectors.")
    n_vectors = sum(counts)
    vectors = weights_of(attributes["support_vectors"], n_vectors)
    coefficients = np.asarray(attributes["coefficients"], np.float32).reshape(-1, n_vectors)
    starts = np.cumsum([0, *counts])
    pairs = _pairs(len(counts))
    weights = np.zeros((n_vectors, len(pairs)), np.float32)
    for place, (i, j) in enumerate(pairs):
        first, second = (slice(starts[k], starts[k + 1]) for k in (i, j))
        weights[first, place] = coefficients[j - 1, first]
        weights[second, place] = coefficients[i, second]
    return vectors, weights


@register("PairVotes", since=1)
class PairVotes(ClearOnly):
    """How often each class wins, by the signs of scores of pairs of classes."""

    domain = table.DOMAIN

    @staticmethod
    def f(scores, *, n_classes):
        votes = np.zeros((len(scores), n_classes))
        for place, (i, j) in enumerate(_pairs(n_classes)):
            wins = scores[:, place] > 0
            votes[:, i] += wins
            votes[:, j] += ~wins
        return votes


@register("PairProbabilities", since=1)
class PairProbabilities(ClearOnly):
    """The probabilities of classes, by the scores of pairs of them [1]_.

    References
    ----------
    .. [1] T.-F. Wu, C.-J. Lin, R. C. Weng, "Probability Estimates for Multi-class
       Classification by Pairwise Coupling", JMLR 5, 2004 (the second approach).
    """

    domain = table.DOMAIN

    @staticmethod
    def f(scores, *, n_classes, prob_a, prob_b):
        from scipy.special import expit  # which workers of a server do without

        wins = expit(-(scores * np.asarray(prob_a) + np.asarray(prob_b)))
        wins = np.clip(wins, 1e-7, 1 - 1e-7)
        r = np.zeros((len(scores), n_classes, n_classes))
        for place, (i, j) in enumerate(_pairs(n_classes)):
            r[:, i, j], r[:, j, i] = wins[:, place], 1 - wins[:, place]
        # The smallest sum of (r_ji p_i - r_ij p_j)**2, where the p add up to 1.
        q = -np.swapaxes(r, 1, 2) * r
        diagonal = np.arange(n_classes)
        q[:, diagonal, diagonal] = (r**2).sum(axis=1)
        system = np.ones((len(scores), n_classes + 1, n_classes + 1))
        system[:, :n_classes, :n_classes] = q
        system[:, n_classes, n_classes] = 0
        right = np.zeros((len(scores), n_classes + 1, 1))
        right[:, n_classes] = 1
        found = np.linalg.solve(system, right)[:, :n_classes, 0]
        return found.astype(np.float32)


@register("SVMClassifier", since=1)
class SVMClassifier(Model):
    """The label that wins most pairs of classes; their scores, or probabilities."""

    @staticmethod
    def f(
        x,
        *,
        classlabels_ints=None,
        classlabels_strings=None,
        coefficients=None,
        kernel_params=None,
        kernel_type="LINEAR",
        post_transform="NONE",
        prob_a=None,
        prob_b=None,
        rho=None,
        support_vectors=None,
        vectors_per_class=None,
    ):
        given = locals()
        labels, (vectors, weights) = labels_of(given), _between_classes(given)
        kernels = kernels_of(x, vectors, kernel_type, kernel_params)
        scores = kernels @ weights + np.asarray(rho, np.float32)
        n_classes = len(vectors_per_class)
        votes = PairVotes.f(scores, n_classes=n_classes)
        if prob_a:
            options = {"prob_a": prob_a, "prob_b": prob_b}
            scores = PairProbabilities.f(scores, n_classes=n_classes, **options)
        elif scores.shape[1] == 1:
            scores = np.concatenate([-scores, scores], axis=1)
        scores = transformed(scores, post_transform, x)
        return labels[np.argmax(votes, axis=1)], scores

    @staticmethod
    def body(write: Writer) -> list[str]:
        """Multiply kernels by the weights of pairs of classes; the client counts votes."""
        attributes = write.node.attributes
        vectors, weights = _between_classes(attributes)
        scores = _weighed(write, vectors, weights)
        n_classes = len(attributes["vectors_per_class"])
        votes = write("PairVotes", scores, n_classes=n_classes)
        if attributes.get("prob_a"):
            options = {name: list(attributes[name]) for name in ("prob_a", "prob_b")}
            scores = write("PairProbabilities", scores, n_classes=n_classes, **options)
        elif n_classes == 2:
            scores = write("Concat", write("Neg", scores), scores, axis=1)
        post = write.attribute("post_transform", "NONE")
        return [labelled(write, votes, attributes), post_transform(write, scores, post)]


def _weighed(write: Writer, vectors: np.ndarray, weights: np.ndarray) -> str:
    """Append sums of kernels, with weights of shape (n_vectors, n_outputs), plus rho."""
    x = write.input(0)
    if write.attribute("kernel_type", "LINEAR") == "LINEAR":
        weights = vectors.T @ weights
    else:
        x = _kernel(write, vectors)
    rho = write.constant(write.attribute("rho"), np.float32)
    return write("Gemm", x, write.constant(weights.astype(np.float32)), rho)


@register("SVMRegressor", since=1)
class SVMRegressor(Model):
    """The sum of kernels with support vectors, weighted, plus ``rho``."""

    @staticmethod
    def f(
        x,
        *,
        coefficients=None,
        kernel_params=None,
        kernel_type="LINEAR",
        n_supports=0,
        one_class=0,
        post_transform="NONE",
        rho=None,
        support_vectors=None,
    ):
        if n_supports:
            vectors = weights_of(support_vectors, n_supports)
            kernels = kernels_of(x, vectors, kernel_type, kernel_params)
        else:
            kernels = x
        scores = kernels @ np.asarray(coefficients, np.float32)[:, None] + rho[0]
        if one_class:
            scores = np.where(scores > 0, 1.0, -1.0)
        return transformed(scores, post_transform, x)

    @staticmethod
    def body(write: Writer) -> str:
        """Multiply kernels by coefficients."""
        count = write.attribute("n_supports", 0)
        coefficients = np.asarray(write.attribute("coefficients"), np.float32)[:, None]
        if count:
            vectors = weights_of(write.attribute("support_vectors"), count)
            scores = _weighed(write, vectors, coefficients)
        else:
            rho = write.constant(write.attribute("rho"), np.float32)
            scores = write("Gemm", write.input(0), write.constant(coefficients), rho)
        if write.attribute("one_class", 0):
            sides = write.constant(np.float32(1)), write.constant(np.float32(-1))
            positive = write("Greater", scores, write.constant(np.float32(0)))
            scores = write("Where", positive, *sides)
        return post_transform(write, scores, write.attribute("post_transform", "NONE"))
