"""Scores with what an encrypted row costs beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring

from fhe_estimators.inspection import cost

#: What `with_cost` adds to the scores, each of one encrypted row.
COSTS = ("seconds", "tables", "upload_bytes", "download_bytes", "key_bytes")

#: As scikit-learn's searches take it.
Scoring = str | Any | Sequence[str] | Mapping[str, Any] | None


def with_cost(scoring: Scoring = None) -> CostScorer:
    """Return a scorer that also tells what an encrypted row costs.

    Searches of scikit-learn then have ``mean_test_seconds``, ``mean_test_tables`` and so
    on, `COSTS`, in ``cv_results_``. These are costs: the smaller the better, other than
    scores, so that their columns ``rank_test_...`` have the dearest first.

    Parameters
    ----------
    scoring : str, callable, list, tuple, dict or None, default=None
        What scikit-learn's searches take. A single score is called ``"score"``.

    Returns
    -------
    scorer : callable
        Takes a fitted estimator, `X` and `y`, and returns a dict of scores and costs. Each
        model is compiled, in some tenths of a second; no keys are made.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from fhe_estimators import DecisionTreeClassifier
    >>> from fhe_estimators.model_selection import best_within, with_cost
    >>> search = GridSearchCV(
    ...     DecisionTreeClassifier(random_state=0),
    ...     {"max_depth": [1, 3]},
    ...     scoring=with_cost("accuracy"),
    ...     refit=best_within(tables=1),
    ... )
    >>> search.fit(*load_iris(return_X_y=True)).best_params_
    {'max_depth': 1}
    """
    return CostScorer(scoring)


class CostScorer:
    """Scores a fitted estimator, and tells what an encrypted row costs.

    Parameters
    ----------
    scoring : str, callable, list, tuple, dict or None
        See `with_cost`.
    """

    def __init__(self, scoring: Scoring) -> None:
        self.scoring = scoring

    def __repr__(self) -> str:
        return f"with_cost({self.scoring!r})"

    def __call__(
        self, estimator: BaseEstimator, X: Any, y: Any = None, **params: Any
    ) -> dict[str, float]:
        """Return scores and costs by name.

        Parameters
        ----------
        estimator : estimator
            Fitted; see `fhe_estimators.inspection.cost`.
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), optional
        **params : dict
            Passed to the scorer, `sample_weight` for example.

        Returns
        -------
        scores : dict of str to float
        """
        scorer = check_scoring(estimator, self.scoring)
        found = scorer(estimator, X, y, **params)
        scores = dict(found) if isinstance(found, Mapping) else {"score": found}
        report = cost(estimator)
        taken = {
            **{name: float(getattr(report, name)) for name in COSTS if name != "tables"},
            "tables": float(sum(report.tables.values())),
        }
        taken_names = scores.keys() & taken.keys()
        if taken_names:
            raise ValueError(
                f"The parameter 'scoring' has a score named {min(taken_names)!r}, which is "
                f"the name of a cost. Names of costs are {', '.join(COSTS)}."
            )
        return scores | {name: taken[name] for name in COSTS}
