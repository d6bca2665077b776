"""torch modules of what scikit-learn's estimators compute, and of what combines them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fhe_estimators.core.frontends.trees import TreeArrays, matrices
from fhe_estimators.exceptions import UnsupportedEstimatorError

#: Numbers of the matrix that tells which comparisons are on the path to which leaf.
_MOST_NUMBERS = 2**24


def _double(array: Any) -> Tensor:
    return torch.tensor(np.asarray(array, np.float64))


class KernelScores(nn.Module):
    """``kernel(x, support) @ coef.T + intercept``.

    The client computes ``|x|**2``, which distances take beside products with `support`. A
    kernel is one table for each row of `support`.

    Parameters
    ----------
    kernel : {'linear', 'rbf', 'poly', 'sigmoid'}
    options : mapping of str to float
        ``"gamma"``, ``"coef0"`` and ``"degree"``.
    support : ndarray of shape (n_support, n_features)
    coef : ndarray of shape (n_outputs, n_support)
    intercept : ndarray of shape (n_outputs,)
    """

    origin: Tensor

    def __init__(
        self,
        kernel: str,
        options: dict[str, float],
        support: np.ndarray,
        coef: np.ndarray,
        intercept: np.ndarray,
    ) -> None:
        super().__init__()
        gamma, coef0 = options.get("gamma", 1.0), options.get("coef0", 0.0)
        support = np.asarray(support, np.float64)
        origin = support.mean(axis=0) if kernel == "rbf" else np.zeros(support.shape[1])
        centred = support - origin
        if kernel == "linear":
            weights, bias = support, np.zeros(len(support))
        elif kernel == "rbf":
            # -gamma |x - s|**2, from x and |x|**2, both measured from the origin.
            square = np.full((len(support), 1), -gamma)
            weights = np.hstack([2 * gamma * centred, square])
            bias = -gamma * (centred**2).sum(axis=1)
        elif kernel in ("poly", "sigmoid"):
            weights, bias = gamma * support, np.full(len(support), coef0)
        else:
            raise UnsupportedEstimatorError(
                f"The parameter kernel={kernel!r} has no encrypted form. Use 'linear', "
                "'rbf', 'poly' or 'sigmoid'."
            )
        self.kernel, self.degree = kernel, int(options.get("degree", 1))
        self.register_buffer("origin", _double(origin))
        self.inner = _linear(weights, bias)
        self.outer = _linear(coef, intercept)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores, of shape (n_samples, n_outputs)."""
        if self.kernel == "rbf":
            x = x - self.origin
            x = torch.cat([x, (x * x).sum(dim=1, keepdim=True)], dim=1)
        products = self.inner(x)
        if self.kernel == "rbf":
            products = torch.exp(products)
        elif self.kernel == "poly":
            products = torch.pow(products, self.degree)
        elif self.kernel == "sigmoid":
            products = torch.tanh(products)
        scores: Tensor = self.outer(products)
        return scores


def _linear(weights: np.ndarray, bias: np.ndarray) -> nn.Linear:
    weights = np.atleast_2d(weights)
    layer = nn.Linear(weights.shape[1], weights.shape[0], dtype=torch.float64)
    layer.weight.data, layer.bias.data = _double(weights), _double(np.ravel(bias))
    return layer


class OneVsOne(nn.Module):
    """Votes of pairs of classes, and what breaks ties: scikit-learn's ``'ovr'`` scores.

    Parameters
    ----------
    pairs : torch.nn.Module
        Scores of all pairs ``(i, j)`` of classes, ``i < j``.
    n_classes : int
    towards : int
        1 if a positive score is for class `j`, -1 if it is for `i`.
    """

    def __init__(self, pairs: nn.Module, n_classes: int, towards: int) -> None:
        super().__init__()
        self.pairs, self.n_classes, self.towards = pairs, n_classes, towards

    def forward(self, x: Tensor) -> Tensor:
        """Return scores, of shape (n_samples, n_classes)."""
        scores = self.towards * self.pairs(x)
        votes: list[Any] = [0.0] * self.n_classes
        sums: list[Any] = [0.0] * self.n_classes
        pairs = [(i, j) for j in range(self.n_classes) for i in range(j)]
        for place, (i, j) in enumerate(sorted(pairs)):
            score = scores[:, place : place + 1]
            second = (score > 0).to(score.dtype)
            votes[i], votes[j] = votes[i] + (1 - second), votes[j] + second
            sums[i], sums[j] = sums[i] - score, sums[j] + score
        found = [
            vote + total / (3 * (total.abs() + 1))
            for vote, total in zip(votes, sums, strict=True)
        ]
        return torch.cat(found, dim=1)


class Comparisons(nn.Module):
    """Trees beside other models: the client compares features with thresholds.

    Parameters
    ----------
    trees : sequence of TreeArrays
    n_features : int
    base : ndarray of shape (n_outputs,)
    link : callable
        From sums to what the model predicts.
    """

    feature: Tensor
    threshold: Tensor
    counts: Tensor

    def __init__(
        self,
        trees: Sequence[TreeArrays],
        n_features: int,
        base: np.ndarray,
        link: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        selection, thresholds, paths, counts, values = matrices(trees, n_features)
        n_trees, n_leaves, n_nodes = paths.shape
        if n_trees**2 * n_leaves * n_nodes > _MOST_NUMBERS:
            raise UnsupportedEstimatorError(
                f"{n_trees} trees of {n_leaves} leaves beside another model would take "
                "hours a row: use fewer or smaller trees."
            )
        blocks = np.zeros((n_trees * n_nodes, n_trees * n_leaves))
        for tree in range(n_trees):
            rows = slice(tree * n_nodes, (tree + 1) * n_nodes)
            blocks[rows, tree * n_leaves : (tree + 1) * n_leaves] = paths[tree].T
        self.register_buffer("feature", torch.tensor(selection.argmax(axis=1)))
        self.register_buffer("threshold", _double(thresholds[:, 0]))
        self.register_buffer("counts", _double(counts[:, 0]))
        self.paths = _linear(blocks.T, np.zeros(len(counts)))
        leaves = values.transpose(1, 0, 2).reshape(values.shape[1], -1)
        self.leaves = _linear(leaves, base)
        self.link = link

    def forward(self, x: Tensor) -> Tensor:
        """Return predictions, of shape (n_samples, n_outputs)."""
        holds = torch.index_select(x, 1, self.feature) <= self.threshold
        reached = torch.eq(self.paths(holds.to(x.dtype)), self.counts)
        return self.link(self.leaves(reached.to(x.dtype)))


class OneHot(nn.Module):
    """A linear map of which category each feature is in; the client compares.

    Parameters
    ----------
    tables : sequence of ndarray of shape (n_outputs, n_categories)
        What the categories of each feature, from zero on, add.
    intercept : ndarray of shape (n_outputs,)
    """

    feature: Tensor
    category: Tensor

    def __init__(self, tables: Sequence[np.ndarray], intercept: np.ndarray) -> None:
        super().__init__()
        sizes = [table.shape[1] for table in tables]
        feature = np.repeat(np.arange(len(tables)), sizes)
        self.register_buffer("feature", torch.tensor(feature))
        category = np.concatenate([np.arange(size) for size in sizes])
        self.register_buffer("category", _double(category))
        self.linear = _linear(np.concatenate(tables, axis=1), intercept)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores, of shape (n_samples, n_outputs)."""
        is_in = torch.eq(torch.index_select(x, 1, self.feature), self.category)
        scores: Tensor = self.linear(is_in.to(x.dtype))
        return scores


class Combined(nn.Module):
    """A function of what several modules make of the same rows.

    Parameters
    ----------
    members : sequence of torch.nn.Module
    combine : callable
        From their results, and the rows, to that of the whole.
    features : sequence of ndarray, optional
        Which features each of them is given; all by default.
    """

    def __init__(
        self,
        members: Sequence[nn.Module],
        combine: Callable[[list[Tensor], Tensor], Tensor],
        features: Sequence[np.ndarray] | None = None,
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.combine = combine
        self.features = None if features is None else [torch.tensor(f) for f in features]

    def forward(self, x: Tensor) -> Tensor:
        """Return what is combined, of shape (n_samples, n_outputs)."""
        rows = [x] * len(self.members)
        if self.features is not None:
            rows = [torch.index_select(x, 1, feature) for feature in self.features]
        found = [member(given) for member, given in zip(self.members, rows, strict=True)]
        return self.combine(found, x)


def weighted_mean(weights: Sequence[float]) -> Callable[[list[Tensor], Tensor], Tensor]:
    """Return a function that averages, for `Combined`."""
    parts = np.asarray(weights, np.float64) / np.sum(weights)

    def combine(found: list[Tensor], x: Tensor) -> Tensor:
        total = found[0] * float(parts[0])
        for result, part in zip(found[1:], parts[1:], strict=True):
            total = total + result * float(part)
        return total

    return combine


def votes(scores: Tensor) -> Tensor:
    """Return 1 for the first of the largest of each row, 0 for others.

    One score stands for two classes: the second one if it is positive.
    """
    if scores.shape[1] == 1:
        second = (scores > 0).to(scores.dtype)
        return torch.cat([1 - second, second], dim=1)
    n_classes = scores.shape[1]
    largest = torch.argmax(scores, dim=1, keepdim=True)
    places = torch.arange(n_classes)
    return (largest == places).to(scores.dtype)


def normalized(found: list[Tensor], x: Tensor) -> Tensor:
    """Return the columns of all, divided by their sum; all the same if that is zero."""
    together = torch.cat(found, dim=1)
    total = together.sum(dim=1, keepdim=True)
    filled = torch.where(total == 0, torch.ones_like(together), together)
    return filled / filled.sum(dim=1, keepdim=True)
