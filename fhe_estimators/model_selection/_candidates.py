"""Models that are worth trying on a table, for what they cost encrypted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.multiclass import type_of_target

from fhe_estimators import ensemble, tree
from fhe_estimators._columns import columns_with_missing
from fhe_estimators._tables import categorical_columns
from fhe_estimators.linear_model import LogisticRegression, Ridge

#: Rows from which histograms make boosting faster to fit: five times with 56 features.
_MANY_ROWS = 2_000
#: Libraries that have cheap models, too: extras of this package.
_EXTRAS = ("interpret", "catboost")
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
    extras: Sequence[str] = (),
) -> list[tuple[Any, dict[str, list[Any]]]]:
    """Return estimators that are cheap on encrypted rows, with the grid of each.

    In the order of what a row costs: linear models and additive ones, of trees of depth
    one, take no table look-up at all; a decision tree takes a few, boosted trees a few for
    each tree, and forests, which are sums of deeper trees, the most.

    Columns of a category type, and values that are missing, are left to models that have
    bins for them; in front of the linear one they are encoded and filled in.

    Parameters
    ----------
    X : array-like or data frame of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        Labels, or real numbers.
    task : {'classification', 'regression'}, optional
        Which of them; by default numbers are labels if they are integers.
    random_state : int, RandomState or None, default=None
        Of all estimators that draw random numbers.
    extras : sequence of {'interpret', 'catboost'}, default=()
        Libraries whose models are tried, too; they have to be installed. Explainable
        boosting adds curves of features, which take no table, and pairs of features, of one
        table each; symmetric trees of CatBoost take one table each up to depth 4.

    Returns
    -------
    candidates : list of tuple of (estimator, dict)
        For `ParetoSearchCV`. Change it as you like.

    Raises
    ------
    ValueError
        If `y` is none of these, of several columns for example, or `task` or `extras` is
        another.
    ImportError
        If one of `extras` is not installed.

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
    GradientBoostingClassifier
    RandomForestClassifier
    """
    if task not in (None, *_TASKS):
        raise ValueError(
            f"The parameter 'task' must be one of {', '.join(map(repr, _TASKS))}, or None; "
            f"got {task!r}."
        )
    others = [name for name in extras if name not in _EXTRAS]
    if others or isinstance(extras, str):
        raise ValueError(
            f"The parameter 'extras' must be a list of some of {', '.join(_EXTRAS)}; got "
            f"{extras!r}."
        )
    target, many = type_of_target(y, input_name="y"), len(y) >= _MANY_ROWS
    tasks = [name for name, targets in _TASKS.items() if target in targets]
    if not tasks or task not in (None, *tasks):
        raise ValueError(
            f"The target is {target}: cheap_candidates is for labels of one column and for "
            "real numbers. Make a list of pairs of an estimator and a grid yourself."
        )
    coded, missing = categorical_columns(X), bool(columns_with_missing(X))
    regularization = np.logspace(-2, 2, 5).tolist()
    model: Any
    if (task or tasks[0]) == "classification":
        kind = "Classifier"
        model, grid = LogisticRegression(), {"logisticregression__C": regularization}
    else:
        kind, model, grid = "Regressor", Ridge(), {"ridge__alpha": regularization}
    # Histograms have bins for what other trees refuse.
    histograms = many or missing or bool(coded)
    boosting = getattr(ensemble, f"{'Hist' if histograms else ''}GradientBoosting{kind}")
    rounds = "max_iter" if histograms else "n_estimators"
    seed = {"random_state": random_state}
    found: list[tuple[Any, dict[str, list[Any]]]] = [
        (make_pipeline(_numbers(X, coded, missing), model), grid),
        # However many they are, trees of depth one take no table.
        (boosting(max_depth=1, **seed), {rounds: [50, 200, 400], "n_bits": [4, 6]}),
    ]
    if "interpret" in extras:
        found.append(_additive(kind, random_state))
    if not coded:
        single = getattr(tree, f"DecisionTree{kind}")
        found.append((single(**seed), {"max_depth": [3, 5, 8]}))
    if "catboost" in extras:
        found.append(_symmetric(kind, X, coded, random_state))
    # What few trees are to learn, they have to learn fast.
    fast = boosting(learning_rate=0.3, **seed)
    found.append((fast, {"max_depth": [2, 3], rounds: [10, 30]}))
    found.append((boosting(**seed), {"max_depth": [2, 3], rounds: [30, 100]}))
    if not coded:
        forest = getattr(ensemble, f"RandomForest{kind}")
        found.append((forest(**seed), {"max_depth": [4, 6], "n_estimators": [10, 30]}))
    return found


def _numbers(X: Any, coded: Sequence[int], missing: bool) -> BaseEstimator:
    """Return what turns columns into numbers of a similar size.

    Parameters
    ----------
    X : array-like or data frame of shape (n_samples, n_features)
    coded : sequence of int
        The columns that hold categories.
    missing : bool
        Whether there are missing values.
    """
    filled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    if not coded:
        return filled if missing else StandardScaler()
    numbers = [column for column in range(X.shape[1]) if column not in coded]
    labels = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer((filled, numbers), (labels, list(coded)))


def _additive(kind: str, random_state: Any) -> tuple[Any, dict[str, list[Any]]]:
    """Return explainable boosting, without pairs of features and with some."""
    from fhe_estimators import interpret

    model = getattr(interpret, f"ExplainableBoosting{kind}")(
        outer_bags=4, n_jobs=1, random_state=_as_seed(random_state)
    )
    return model, {"interactions": [0, 5, 15], "n_bits": [3, 4, 6]}


def _symmetric(
    kind: str, X: Any, coded: Sequence[int], random_state: Any
) -> tuple[Any, dict[str, list[Any]]]:
    """Return symmetric trees, in front of which missing labels become a label."""
    from fhe_estimators import catboost

    options: dict[str, Any] = {"random_state": _as_seed(random_state)}
    if coded:
        options["cat_features"] = [str(X.columns[column]) for column in coded]
        options["max_ctr_complexity"] = 1
    model = getattr(catboost, f"CatBoost{kind}")(
        learning_rate=0.3,
        verbose=False,
        allow_writing_files=False,
        thread_count=1,
        **options,
    )
    grid: dict[str, list[Any]] = {"depth": [3, 4], "iterations": [10, 20, 40]}
    if not coded:
        return model, grid
    labels = SimpleImputer(strategy="constant", fill_value="missing")
    filled = make_column_transformer(
        (labels, [X.columns[column] for column in coded]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    name = type(model).__name__.lower()
    return make_pipeline(filled, model), {f"{name}__{key}": of for key, of in grid.items()}


def _as_seed(random_state: Any) -> int | None:
    """Return a number, as libraries take it."""
    if hasattr(random_state, "randint"):
        return int(random_state.randint(1 << 31))
    return random_state  # type: ignore[no-any-return]
