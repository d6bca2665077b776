"""The candidates of a search, drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fhe_estimators._display import Display
from fhe_estimators.model_selection._budget import pareto_front

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ParetoDisplay(Display):
    """Scores of the candidates of a search against what a row costs.

    Parameters
    ----------
    score, seconds : ndarray of shape (n_candidates,)
        Means over folds.
    front : ndarray of int
        The candidates that no other one beats in both.
    metric : str, default='score'
        Name of the score.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Drawn in.
    figure_ : matplotlib.figure.Figure
        Of the axes.
    """

    def __init__(
        self,
        score: np.ndarray,
        seconds: np.ndarray,
        front: np.ndarray,
        metric: str = "score",
    ) -> None:
        self.score, self.seconds = score, seconds
        self.front, self.metric = front, metric

    @classmethod
    def from_estimator(
        cls, search: Any, *, metric: str = "score", ax: Axes | None = None
    ) -> Self:
        """Plot the results of a fitted search.

        Parameters
        ----------
        search : ParetoSearchCV, or a search whose `scoring` is `with_cost`
            Fitted.
        metric : str, default='score'
            Which score.
        ax : matplotlib.axes.Axes, optional
            To draw in; new ones by default.

        Returns
        -------
        display : ParetoDisplay

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        """
        check_is_fitted(search, "cv_results_")
        return cls.from_cv_results(search.cv_results_, metric=metric, ax=ax)

    @classmethod
    def from_cv_results(
        cls, cv_results: Mapping[str, Any], *, metric: str = "score", ax: Axes | None = None
    ) -> Self:
        """Plot the results of a search.

        Parameters
        ----------
        cv_results : dict of str to ndarray
            ``cv_results_`` of a `ParetoSearchCV`, or of another search whose `scoring` is
            `with_cost`.
        metric : str, default='score'
            Which score.
        ax : matplotlib.axes.Axes, optional
            To draw in; new ones by default.

        Returns
        -------
        display : ParetoDisplay
        """
        for name in (metric, "seconds"):
            if f"mean_test_{name}" not in cv_results:
                raise ValueError(
                    f"The parameter 'cv_results' has no mean_test_{name}: use "
                    "scoring=with_cost(...), and a metric that it scores by."
                )
        score, seconds = (
            np.asarray(cv_results[f"mean_test_{name}"], np.float64)
            for name in (metric, "seconds")
        )
        return cls(score, seconds, pareto_front(score, seconds), metric).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw a point for each candidate, and a line through those of the front.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        display : ParetoDisplay
        """
        ax = self._axes(ax)
        ax.plot(self.seconds, self.score, "o", fillstyle="none", label="candidates")
        at = self.front
        ax.plot(self.seconds[at], self.score[at], "o-", label="not beaten in both")
        ax.set(xlabel="seconds a row (estimated)", ylabel=self.metric)
        ax.legend()
        return self
