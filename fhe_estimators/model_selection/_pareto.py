"""A search over several estimators that tells which are worth their price."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from fhe_estimators.model_selection._budget import pareto_front
from fhe_estimators.model_selection._scoring import Scoring, with_cost

#: The one step of the pipeline that is searched over.
_STEP = "model"


class ParetoSearchCV(BaseSearchCV):  # type: ignore[misc]
    """Search over several estimators and grids, by score and by what a row costs.

    Each candidate is fitted, scored on the other folds, and compiled; no keys are made.

    Parameters
    ----------
    candidates : sequence of tuple of (estimator, dict or list of dict)
        Estimators of `fhe_estimators`, or pipelines that end in one, and the grid of
        each, as of ``GridSearchCV``; see `cheap_candidates`.
    scoring : str, callable, list, tuple, dict or None, default=None
        As of ``GridSearchCV``, whose score comes first in a list.
    n_jobs : int or None, default=None
        Number of processes.
    refit : bool or callable, default=True
        Whether to fit the best candidate on all rows: with True that of the best score,
        or what a callable chooses, such as `best_within`.
    cv : int, cross-validation generator or iterable, default=None
        As of ``GridSearchCV``.
    verbose : int, default=0
        Verbosity.
    pre_dispatch : int or str, default='2*n_jobs'
        Number of jobs that are dispatched at once.
    error_score : 'raise' or numeric, default=np.nan
        Score of a candidate that cannot be fitted or compiled.
    return_train_score : bool, default=False
        Whether ``cv_results_`` has scores on the training rows.

    Attributes
    ----------
    cv_results_ : dict of str to ndarray
        As of ``GridSearchCV``; ``param_model`` is the estimator, and what its row costs is
        in ``mean_test_seconds``, ``mean_test_tables``, ``mean_test_upload_bytes``,
        ``mean_test_download_bytes`` and ``mean_test_key_bytes``.
    pareto_front_ : ndarray of int
        Indices of the candidates that no other one beats in score and seconds, the
        cheapest first.
    best_index_ : int
        Index of the chosen candidate.
    best_params_ : dict
        Its parameters; of the estimator as ``model``, others after ``model__``.
    best_score_ : float
        Its mean score.
    best_estimator_ : estimator
        It, fitted on all rows.
    scorer_ : callable
        Tells scores and costs of a fitted estimator.
    n_splits_ : int
        Number of folds.
    multimetric_ : bool
        True: costs are beside the score.
    refit_time_ : float
        Seconds that the last fit took.
    classes_ : ndarray of shape (n_classes,)
        The labels, of a classifier.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.

    See Also
    --------
    best_within : Chooses the best candidate within a budget.
    cheap_candidates : Candidates that are worth trying.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fhe_estimators import DecisionTreeClassifier, LogisticRegression
    >>> from fhe_estimators.model_selection import ParetoSearchCV, best_within
    >>> search = ParetoSearchCV(
    ...     [
    ...         (LogisticRegression(max_iter=1000), {"n_bits": [2, 8]}),
    ...         (DecisionTreeClassifier(random_state=0), {"max_depth": [2, 4]}),
    ...     ],
    ...     refit=best_within(seconds=1),
    ... )
    >>> search.fit(*load_iris(return_X_y=True)).best_estimator_
    LogisticRegression(max_iter=1000)
    """

    def __init__(
        self,
        candidates: Sequence[tuple[Any, Any]],
        *,
        scoring: Scoring = None,
        n_jobs: int | None = None,
        refit: bool | Callable[[Mapping[str, Any]], int] = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ) -> None:
        self.candidates = candidates
        self.scoring = scoring
        self.n_jobs = n_jobs
        self.refit = refit
        self.cv = cv
        self.verbose = verbose
        self.pre_dispatch = pre_dispatch
        self.error_score = error_score
        self.return_train_score = return_train_score

    @property
    def estimator(self) -> BaseEstimator:
        """The first candidate: it tells whether this is a classifier."""
        return next(self._candidates())[0]

    def _candidates(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Yield estimators and grids, one of each, checked."""
        found = False
        pairs = self.candidates
        if not isinstance(pairs, Sequence) or isinstance(pairs, str):
            pairs = [pairs]
        for pair in pairs:
            is_pair = isinstance(pair, Sequence) and len(pair) == 2
            if not (is_pair and hasattr(pair[0], "fit")):
                raise ValueError(
                    "The parameter 'candidates' must be a list of pairs of an estimator "
                    f"and a grid, such as [(Ridge(), {{'n_bits': [4, 8]}})]; it has "
                    f"{pair!r}."
                )
            estimator, grids = pair
            for grid in [grids] if isinstance(grids, Mapping) else grids:
                found = True
                yield estimator, dict(grid)
        if not found:
            raise ValueError("The parameter 'candidates' must have at least one pair.")

    def _choose(self, cv_results: Mapping[str, Any]) -> int:
        """Return the index of the candidate to be fitted on all rows."""
        if callable(self.refit):
            return int(self.refit(cv_results))
        score = np.nan_to_num(_mean_score(cv_results), nan=-np.inf)
        return int(np.lexsort((cv_results["mean_test_seconds"], -score))[0])

    def fit(self, X: Any, y: Any = None, **params: Any) -> ParetoSearchCV:
        """Fit and compile all candidates.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), optional
        **params : dict
            As of ``GridSearchCV.fit``.

        Returns
        -------
        self : ParetoSearchCV

        Raises
        ------
        ValueError
            If `candidates` are no pairs of an estimator and a grid, or `refit` is a name.
        """
        if isinstance(self.refit, str):
            raise ValueError(
                "The parameter 'refit' must be True, False or a callable, such as "
                f"best_within(seconds=1, metric=...); got {self.refit!r}."
            )
        grids = [
            {_STEP: [model], **{f"{_STEP}__{name}": of for name, of in grid.items()}}
            for model, grid in self._candidates()
        ]
        search = GridSearchCV(
            Pipeline([(_STEP, self.estimator)]),
            grids,
            scoring=with_cost(self.scoring),
            n_jobs=self.n_jobs,
            refit=self._choose if self.refit else False,
            cv=self.cv,
            verbose=self.verbose,
            pre_dispatch=self.pre_dispatch,
            error_score=self.error_score,
            return_train_score=self.return_train_score,
        ).fit(X, y, **params)
        for name, value in vars(search).items():
            if name.endswith("_"):
                setattr(self, name, value)
        results: dict[str, Any] = search.cv_results_
        score = _mean_score(results)
        self.pareto_front_ = pareto_front(score, results["mean_test_seconds"])
        if self.refit:
            self.best_estimator_: Any = search.best_estimator_[_STEP]
            self.best_score_ = float(score[search.best_index_])
        return self

    def score(self, X: Any, y: Any = None, **params: Any) -> float:
        """Return the score of the best estimator, the first one of several.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), optional
        **params : dict
            Passed to the scorer.

        Returns
        -------
        score : float
        """
        if not self.refit:
            raise AttributeError(
                f"This {type(self).__name__} has refit=False: no candidate was fitted on "
                "all rows."
            )
        check_is_fitted(self, "best_estimator_")
        scorer = check_scoring(self.best_estimator_, self.scoring)
        found = scorer(self.best_estimator_, X, y, **params)
        return float(next(iter(found.values())) if isinstance(found, Mapping) else found)


def _mean_score(cv_results: Mapping[str, Any]) -> np.ndarray:
    """Return the mean of the first score, of shape (n_candidates,)."""
    name = next(name for name in cv_results if name.startswith("mean_test_"))
    return np.asarray(cv_results[name], np.float64)
