"""Models that are worth trying on a table, for what they cost encrypted."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import type_of_target

from fhe_estimators import ensemble, tree
from fhe_estimators.linear_model import LogisticRegression, Ridge

#: Rows from which histograms make boosting faster to fit.
_MANY_ROWS = 10_000
#: What the targets of each task may look like; of several tasks the first is meant.
_TASKS = {
    "classification": ("binary", "multiclass"),
    "regression": ("continuous", "binary", "multiclass"),
}


def cheap_candidates(
    X: Any,
    y: Any,
    *,
    task: str | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> list[tuple[Any, dict[str, list[Any]]]]:
    """Return estimators that are cheap on encrypted rows, with the grid of each.

    In the order of what a row costs: linear models and additive ones, of trees of depth
    one, take no table look-up at all; a decision tree takes a few, boosted trees a few for
    each tree, and forests, which are sums of deeper trees, the most.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        Labels, or real numbers.
    task : {'classification', 'regression'}, optional
        Which of them; by default numbers are labels if they are integers.
    random_state : int, RandomState or None, default=None
        Of all estimators that draw random numbers.

    Returns
    -------
    candidates : list of tuple of (estimator, dict)
        For `ParetoSearchCV`. Change it as you like.

    Raises
    ------
    ValueError
        If `y` is none of these, of several columns for example, or `task` is another.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fhe_estimators.model_selection import cheap_candidates
    >>> for model, _ in cheap_candidates(*load_iris(return_X_y=True)):
    ...     print(type(model).__name__)
    Pipeline
    GradientBoostingClassifier
    DecisionTreeClassifier
    GradientBoostingClassifier
    RandomForestClassifier
    """
    if task not in (None, *_TASKS):
        raise ValueError(
            f"The parameter 'task' must be one of {', '.join(map(repr, _TASKS))}, or None; "
            f"got {task!r}."
        )
    target, many = type_of_target(y, input_name="y"), len(y) >= _MANY_ROWS
    tasks = [name for name, targets in _TASKS.items() if target in targets]
    if not tasks or task not in (None, *tasks):
        raise ValueError(
            f"The target is {target}: cheap_candidates is for labels of one column and for "
            "real numbers. Make a list of pairs of an estimator and a grid yourself."
        )
    regularization = np.logspace(-2, 2, 5).tolist()
    model: Any
    if (task or tasks[0]) == "classification":
        kind = "Classifier"
        model, grid = LogisticRegression(), {"logisticregression__C": regularization}
    else:
        kind, model, grid = "Regressor", Ridge(), {"ridge__alpha": regularization}
    boosting = getattr(ensemble, f"{'Hist' if many else ''}GradientBoosting{kind}")
    single = getattr(tree, f"DecisionTree{kind}")
    forest = getattr(ensemble, f"RandomForest{kind}")
    rounds = "max_iter" if many else "n_estimators"
    seed = {"random_state": random_state}
    return [
        (make_pipeline(StandardScaler(), model), grid),
        (boosting(max_depth=1, **seed), {rounds: [50, 200], "n_bits": [4, 6]}),
        (single(**seed), {"max_depth": [3, 5, 8]}),
        (boosting(**seed), {"max_depth": [2, 3], rounds: [10, 30, 100]}),
        (forest(**seed), {"max_depth": [4, 6], "n_estimators": [10, 30]}),
    ]
