"""What methods make of raw scores: the same for an estimator and for a client of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, logsumexp, softmax
from sklearn.utils.multiclass import _ovr_decision_function

__all__ = ["Beside", "Labels", "Reading", "read"]


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels from numbers.

    Parameters
    ----------
    rule : {'largest', 'above', 'not_below', 'each_above'}
        The label of the largest number of a row; of two labels, the second one if a number
        is above a threshold, or not below it; which of several numbers are above it, as
        zeros and ones.
    threshold : float, default=0.0
    labels : ndarray of shape (n_classes,), optional
    """

    rule: str
    threshold: float = 0.0
    labels: np.ndarray | None = None

    RULES: ClassVar[tuple[str, ...]] = ("largest", "above", "not_below", "each_above")

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        """Return labels.

        Parameters
        ----------
        numbers : ndarray of shape (n_samples, n_numbers)
        """
        if self.rule == "each_above":
            return (numbers > self.threshold).astype(np.int64)
        assert self.labels is not None
        if self.rule == "largest":
            largest: np.ndarray = self.labels[numbers.argmax(axis=1)]
            return largest
        column = numbers[:, -1]
        second = column > self.threshold
        if self.rule == "not_below":
            second = column >= self.threshold
        found: np.ndarray = self.labels[second.astype(np.int64)]
        return found


@dataclass(frozen=True, eq=False)
class Beside:
    """A term of scores that the client computes from the row: a squared distance.

    Parameters
    ----------
    origin, unit : ndarray of shape (n_features,)
        From where, and what one is, along each feature.
    """

    origin: np.ndarray
    unit: np.ndarray

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return squared distances, of shape (n_samples,)."""
        squares: np.ndarray = (((X - self.origin) / self.unit) ** 2).sum(axis=1)
        return squares


@dataclass(frozen=True, eq=False)
class Reading:
    """What a method returns for raw scores, in the order of the parameters.

    Parameters
    ----------
    columns : tuple of (int, int), optional
        The first of the scores that count, and the one behind the last; all by default.
    shift : ndarray of shape (n_outputs,), optional
        What is added to the scores.
    factor : float, default=1.0
        What the sum is multiplied by.
    end : bool, default=False
        Whether the clear end of the model follows: links.
    less_beside : bool, default=False
        Whether what is known `beside` is subtracted then.
    offset : float, default=0.0
        What is added then.
    link : {'none', 'rounded', 'softmax', 'joint', 'two_sided', 'complement', \
            'difference', 'pair_scores', 'pair_votes'}
        What is computed then: probabilities of several scores, or of logarithms of joint
        probabilities, or of one log-odds, or of the probability of the second of two
        classes; or by how much other scores are larger than the first one; or numbers
        rounded; or votes of pairs of classes, with by how much or without. Nothing by
        default.
    normalized : bool, default=False
        Whether rows are made to add up to one, without negative numbers.
    labels : Labels, optional
        What makes labels of the numbers.
    form : {'table', 'vector', 'outputs'}, default='table'
        Whether numbers are returned as an array of shape (n_samples, n_numbers), the last
        of them as one of shape (n_samples,), or all outputs as they are.
    """

    FORMS: ClassVar[tuple[str, ...]] = ("table", "vector", "outputs")
    LINKS: ClassVar[Mapping[str, Callable[[np.ndarray], np.ndarray]]] = {
        "none": lambda x: x,
        "rounded": np.rint,
        "pair_scores": lambda x: pair_scores(x),
        "pair_votes": lambda x: np.rint(pair_scores(x)),
        "softmax": lambda x: softmax(x, axis=1),
        "two_sided": lambda x: np.hstack([expit(-x), expit(x)]),
        "complement": lambda x: np.hstack([1 - x, x]),
        "difference": lambda x: x[:, 1:] - x[:, :1],
        "joint": lambda x: np.exp(x - logsumexp(x, axis=1, keepdims=True)),
    }

    columns: Sequence[int] | None = None
    shift: np.ndarray | None = None
    factor: float = 1.0
    end: bool = False
    less_beside: bool = False
    offset: float = 0.0
    link: str = "none"
    normalized: bool = False
    labels: Labels | None = None
    form: str = "table"

    def __call__(
        self,
        scores: Sequence[np.ndarray],
        clear_module: Any,
        beside: np.ndarray | None = None,
    ) -> Any:
        """Return the result of the method.

        Parameters
        ----------
        scores : sequence of ndarray of shape (n_samples, ...)
            Dequantized outputs of the integer graph.
        clear_module : NumpyModule
            The clear end of the model.
        beside : ndarray of shape (n_samples,), optional
            What the client knows of the rows, see `Beside`.
        """
        if self.columns is not None or self.shift is not None:
            (numbers,) = scores
            start, stop = self.columns or (0, numbers.shape[1])
            numbers = numbers[:, start:stop]
            numbers = numbers if self.shift is None else numbers + self.shift
            scores = (self.factor * numbers,)
        outputs = clear_module.outputs(*scores) if self.end else tuple(scores)
        if self.form == "outputs":
            return outputs[0] if len(outputs) == 1 else outputs
        numbers = outputs[0]
        numbers = numbers.reshape(len(numbers), -1)
        if self.less_beside:
            assert beside is not None
            numbers = numbers - beside[:, np.newaxis]
        if self.offset:
            numbers = numbers + self.offset
        numbers = self.LINKS[self.link](numbers)
        if self.normalized:
            numbers = normalized(numbers)
        if self.labels is not None:
            return self.labels(numbers)
        return numbers[:, -1] if self.form == "vector" else numbers


def read(
    readings: Sequence[Reading],
    scores: Sequence[np.ndarray],
    clear_module: Any,
    method: str,
    beside: np.ndarray | None = None,
) -> Any:
    """Return the result of a method; of several outputs, a list or a column for each.

    Of `eval_terms` a reading is a term: one of several classes has a column for each.
    """
    found = [reading(scores, clear_module, beside) for reading in readings]
    if method == "eval_terms":
        return np.stack(found, axis=1)
    if len(found) == 1:
        return found[0]
    return found if method == "predict_proba" else np.column_stack(found)


def pair_scores(scores: np.ndarray) -> np.ndarray:
    """Return for each class the pairs that it wins, and less than half of one by how much.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_pairs)
        Of all pairs of classes, in order; positive for the first one.

    Returns
    -------
    votes : ndarray of shape (n_samples, n_classes)
    """
    n_classes = round((1 + (1 + 8 * scores.shape[1]) ** 0.5) / 2)
    found: np.ndarray = _ovr_decision_function(scores < 0, -scores, n_classes)
    return found


def normalized(rounded: np.ndarray) -> np.ndarray:
    """Return probabilities: rounding may take more from a small one than all of it."""
    positive = np.clip(rounded, 0, None)
    probabilities: np.ndarray = positive / positive.sum(axis=1, keepdims=True)
    return probabilities
