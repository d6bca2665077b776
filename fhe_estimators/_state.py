"""What is lowered follows the model, however that is changed after `fit`.

Fitted attributes are the user's: averaged coefficients are assigned, trees are replaced, a
booster is loaded or trained on. scikit-learn predicts from what it finds; so do we, by
comparing a digest of the model with that of what was lowered.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from fhe_estimators.exceptions import ModelChangedError

__all__ = [
    "N_ROWS",
    "FollowingMixin",
    "are_edges",
    "arrays_of",
    "digest",
    "within",
]

logger = logging.getLogger(__name__)

#: Rows that stand for those of `fit`, which no estimator keeps.
N_ROWS = 1_000

#: What is raised where attributes are not those of a model.
_NO_MODEL = (AttributeError, IndexError, ValueError)

#: Models are lowered again one at a time: it is rare, and a lock of their own would be in
#: the way of pickles.
_lock = threading.RLock()


def digest(parts: Iterable[Any]) -> bytes:
    """Return a digest of arrays, bytes, and values that `repr` tells apart.

    Parameters
    ----------
    parts : iterable of object

    Returns
    -------
    digest : bytes of length 16

    Examples
    --------
    >>> digest([np.zeros(2), 0.1]) == digest([np.zeros(2), 0.1])
    True
    >>> digest([np.zeros(2), 0.1]) == digest([np.zeros((1, 2)), 0.1])
    False
    """
    kinds: list[object] = []
    data: list[bytes | bytearray] = []
    for part in parts:
        if isinstance(part, np.ndarray):
            kinds.append((part.dtype.str, part.shape))
            data.append(part.tobytes())
        elif isinstance(part, bytes | bytearray):
            kinds.append(len(part))
            data.append(part)
        else:
            kinds.append(part)
    found = blake2b(repr(kinds).encode(), digest_size=16)
    found.update(b"".join(data))
    return found.digest()


class FollowingMixin:
    """Knows whether the model is still the one that was lowered, and lowers it again."""

    _digest: bytes

    def _state(self) -> Iterable[Any]:
        """Return all that raw scores depend on, as `digest` takes it (hook)."""
        raise NotImplementedError

    def _lower_again(self) -> None:
        """Lower the model as it is now, without the rows of `fit` (hook)."""
        raise ValueError("how precise its layers must be is known from rows only.")

    def _remember(self) -> None:
        """Store the digest of `_state`: the model as it was lowered."""
        self._digest = digest(self._state())

    def _follow(self) -> None:
        """Lower the model again if `_state` has changed since.

        Raises
        ------
        ModelChangedError
            If that cannot be done.
        """
        name = type(self).__name__
        try:
            if self._is_lowered():
                return
            with _lock:
                if not self._is_lowered():  # by another thread, meanwhile
                    logger.info("%s was changed or loaded: it is lowered again", name)
                    self._lower_again()
        except _NO_MODEL as error:
            raise ModelChangedError(
                f"This {name} was changed after `fit`, or never fitted, and cannot be "
                f"lowered to integers as it is now: {error} Use "
                f"{name}.from_sklearn_model(model, X), with rows X like those to predict, "
                "or fit it."
            ) from error

    def _is_followed(self) -> bool:
        """Return whether the integers are those of the model; does not raise."""
        try:
            return self._is_lowered()
        except _NO_MODEL:
            return False

    def _is_lowered(self) -> bool:
        return getattr(self, "_digest", None) == digest(self._state())


def within(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return rows that fill the ranges of features evenly; always the same.

    Parameters
    ----------
    low, high : ndarray of float64 of shape (n_features,)

    Returns
    -------
    X : ndarray of float64 of shape (n_samples, n_features)
    """
    return np.random.default_rng(0).uniform(low, high, (N_ROWS, len(low)))


def arrays_of(tree: Any) -> tuple[np.ndarray, ...]:
    """Return what a tree of scikit-learn predicts from."""
    links = (tree.children_left, tree.children_right)
    missing = tree.missing_go_to_left
    return tree.feature, tree.threshold, *links, missing, tree.value


#: Features, -1 for leaves, and thresholds of the nodes of a tree.
Comparisons = tuple[np.ndarray, np.ndarray]


def are_edges(comparisons: Iterable[Comparisons], edges: Sequence[np.ndarray]) -> bool:
    """Return whether all finite thresholds are among the edges of their feature."""
    return all(
        np.isin(threshold[feature == column], [*edges[column], np.inf]).all()
        for feature, threshold in comparisons
        for column in np.unique(feature[feature >= 0]).tolist()
    )
