"""The best model that is cheap enough."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from fhe_estimators.model_selection._scoring import COSTS


def best_within(
    *,
    seconds: float | None = None,
    tables: int | None = None,
    upload_bytes: int | None = None,
    download_bytes: int | None = None,
    key_bytes: int | None = None,
    metric: str = "score",
) -> BestWithin:
    """Return a `refit` that takes the best candidate within a budget for each row.

    Parameters
    ----------
    seconds : float, optional
        At most, as estimated for all cores of this machine.
    tables : int, optional
        Table look-ups at most.
    upload_bytes, download_bytes, key_bytes : int, optional
        Bytes at most: of the encrypted row, of its encrypted result, and of the evaluation
        keys.
    metric : str, default='score'
        Which score is to be the best; the name of a single one is ``"score"``.

    Returns
    -------
    refit : callable
        For the parameter `refit` of scikit-learn's searches, whose parameter `scoring` has
        to be `with_cost`. From ``cv_results_`` it returns the index of the candidate with
        the best mean score, of equal ones that of the fewest seconds.

    Raises
    ------
    ValueError
        If there is no limit, or one that is no positive number. When a search calls it:
        if no candidate is within the budget.
    """
    limits = {
        "seconds": seconds,
        "tables": tables,
        "upload_bytes": upload_bytes,
        "download_bytes": download_bytes,
        "key_bytes": key_bytes,
    }
    given = {name: limit for name, limit in limits.items() if limit is not None}
    if not given:
        raise ValueError(f"Give at least one limit: {', '.join(COSTS)}.")
    for name, limit in given.items():
        number = isinstance(limit, Real) and not isinstance(limit, bool)
        if not number or math.isnan(limit) or limit < 0:
            raise ValueError(
                f"The parameter {name!r} must be a number that is not negative; "
                f"got {limit!r}."
            )
    return BestWithin(given, metric)


class BestWithin:
    """Chooses a candidate of a search, see `best_within`.

    Parameters
    ----------
    limits : mapping of str to float
        The most that each cost may be.
    metric : str
    """

    def __init__(self, limits: Mapping[str, float], metric: str) -> None:
        self.limits, self.metric = dict(limits), metric

    def __repr__(self) -> str:
        limits = "".join(f"{name}={limit!r}, " for name, limit in self.limits.items())
        return f"best_within({limits}metric={self.metric!r})"

    def __call__(self, cv_results: Mapping[str, Any]) -> int:
        """Return the index of the chosen candidate.

        Parameters
        ----------
        cv_results : dict of str to ndarray

        Returns
        -------
        index : int
        """
        score, seconds = (self._mean(cv_results, name) for name in (self.metric, "seconds"))
        fits = ~np.isnan(score)
        for name, limit in self.limits.items():
            fits &= self._mean(cv_results, name) <= limit
        if not fits.any():
            least = ", ".join(
                f"{name} {np.nanmin(self._mean(cv_results, name)):.4g}"
                for name in self.limits
                if not np.isnan(self._mean(cv_results, name)).all()
            )
            raise ValueError(
                f"No candidate is within {self!r}; the least that any takes: "
                f"{least or 'none could be compiled'}. Allow more, or search smaller "
                "models."
            )
        order = np.lexsort((seconds, -np.where(fits, score, -np.inf)))
        return int(order[0])

    @staticmethod
    def _mean(cv_results: Mapping[str, Any], name: str) -> np.ndarray:
        try:
            return np.asarray(cv_results[f"mean_test_{name}"], np.float64)
        except KeyError:
            raise ValueError(
                f"The search has no mean_test_{name}: give it scoring=with_cost(...), and "
                "best_within a metric that it scores by."
            ) from None


def pareto_front(score: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Return the candidates that no other one beats in both, the cheapest first.

    Parameters
    ----------
    score, seconds : ndarray of shape (n_candidates,)
        The larger, and the smaller, the better. Candidates with nan are left out.

    Returns
    -------
    indices : ndarray of int
        Along them, both grow.
    """
    order = np.lexsort((-score, seconds))
    order = order[~np.isnan(score[order]) & ~np.isnan(seconds[order])]
    best = np.maximum.accumulate(np.concatenate([[-np.inf], score[order]]))
    front: np.ndarray = order[score[order] > best[:-1]]
    return front
