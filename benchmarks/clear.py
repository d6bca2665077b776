"""What quantization adds to fitting and to predicting in clear."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from sklearn import ensemble, linear_model
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier as SklearnTree

from benchmarks.data import breast_cancer, breast_cancer_scaled
from benchmarks.report import Row, at_least, at_most
from benchmarks.tools import Setup, against, median, processor_seconds, seconds
from fhe_estimators import (
    DecisionTreeClassifier,
    GradientBoostingClassifier,
    LogisticRegression,
    RandomForestClassifier,
)

NAME = LogisticRegression.__name__


def fit(setup: Setup) -> list[Row]:
    """Fit, beside scikit-learn, after a first fit that warms up."""
    data = {
        "breast cancer scaled": (breast_cancer_scaled(), 5),
        "20000 x 50": (make_classification(20_000, 50, random_state=0), 3),
        "2000 x 4000": (make_classification(2_000, 4_000, random_state=0), 3),
    }
    rows = []
    for name, ((X, y), times) in data.items():
        ours, plain = LogisticRegression().fit(X, y), linear_model.LogisticRegression()
        quantized, floating, theirs = setup.alternate(
            partial(seconds, partial(ours.fit, X, y), times),
            partial(seconds, partial(plain.fit, X, y), times),
            partial(setup.ask, "fit", X=X, y=y, name=NAME, times=times),
        )
        rows.append(
            {
                "data": name,
                "ours (s)": quantized,
                "scikit-learn (s)": floating,
                "added (s)": quantized - floating,
                "peer (s)": theirs and theirs["encrypted"],
                "peer's scikit-learn (s)": theirs and theirs["plain"],
                "peer added (s)": theirs and theirs["encrypted"] - theirs["plain"],
                "goal": at_most(0.15, quantized - floating, " s"),
            }
        )
    return rows


def predict_clear(setup: Setup) -> list[Row]:
    """Predict 10**5 rows in clear, beside the libraries that are mirrored.

    Both are called in turns; the ratio is the median of processor time over the rounds,
    which other work on the machine changes least.
    """
    n_rows, times = 10**5, 3
    X, y = breast_cancer_scaled()
    rows = np.resize(X, (n_rows, X.shape[1]))
    found: list[Row] = []
    for name, (ours, plain) in _families().items():
        ours.fit(X, y).predict(rows)
        plain.fit(X, y).predict(rows)
        ratios, quantized, floating = [], [], []
        for _ in range(5 * setup.repeat):
            quantized.append(processor_seconds(partial(ours.predict, rows)))
            floating.append(processor_seconds(partial(plain.predict, rows)))
            ratios.append(quantized[-1] / floating[-1])
        theirs = None
        if name == NAME:
            request = {"X": X, "y": y, "name": NAME, "n_rows": n_rows, "times": times}
            theirs = setup.ask("predict_clear", **request)
        found.append(
            {
                "model": name,
                "ours (s)": median(quantized),
                "plain (s)": median(floating),
                "ours / plain": median(ratios),
                "peer (s)": theirs and theirs["encrypted"],
                "peer / scikit-learn": theirs and theirs["encrypted"] / theirs["plain"],
                "goal": at_most(5, median(ratios), "x"),
            }
        )
    return found


def _families() -> dict[str, tuple[Any, Any]]:
    """Return a model of each family, and the class that it mirrors."""
    depth_4: dict[str, Any] = {"n_estimators": 10, "max_depth": 4, "random_state": 0}
    depth_3: dict[str, Any] = {"n_estimators": 20, "max_depth": 3, "random_state": 0}
    tree: dict[str, Any] = {"max_depth": 5, "random_state": 0}
    forest = RandomForestClassifier, ensemble.RandomForestClassifier
    boosting = GradientBoostingClassifier, ensemble.GradientBoostingClassifier
    families: dict[str, tuple[Any, Any, dict[str, Any]]] = {
        NAME: (LogisticRegression, linear_model.LogisticRegression, {}),
        "tree, depth 5": (DecisionTreeClassifier, SklearnTree, tree),
        "forest, 10 x 4": (*forest, depth_4),
        "boosting, 20 x 3": (*boosting, depth_3),
    }
    with suppress(ImportError):
        import xgboost

        from fhe_estimators.xgboost import XGBClassifier

        options = {**depth_3, "n_jobs": 1}
        families["XGBoost, 20 x 3"] = (XGBClassifier, xgboost.XGBClassifier, options)
    with suppress(ImportError):
        import lightgbm

        from fhe_estimators.lightgbm import LGBMClassifier

        options = {**depth_3, "n_jobs": 1, "verbose": -1}
        families["LightGBM, 20 x 3"] = (LGBMClassifier, lightgbm.LGBMClassifier, options)
    return {
        name: (ours(**options), plain(**options))
        for name, (ours, plain, options) in families.items()
    }


def grid_search(setup: Setup) -> list[Row]:
    """Search for `n_bits` with cross-validation, in one process."""
    n_bits, cv = [2, 3, 4, 5, 6, 8], 5
    X, y = breast_cancer()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()),
        {f"{NAME.lower()}__n_bits": n_bits},
        cv=cv,
        n_jobs=1,
    )

    def ours() -> dict[str, float]:
        return {"seconds": seconds(lambda: search.fit(X, y)), "best": search.best_score_}

    theirs = partial(setup.ask, "grid_search", X=X, y=y, name=NAME, n_bits=n_bits, cv=cv)
    LogisticRegression().fit(*breast_cancer_scaled())  # imports what lowering needs
    here, there = setup.alternate(ours, theirs)
    judged = partial(at_least, 1, unit="x")
    fits = cv * len(n_bits) + 1
    return [
        against(f"{fits} fits", "s", here["seconds"], there and there["seconds"], judged),
        {
            "what": "best accuracy",
            "ours": here["best"],
            "peer": there and there["best"],
        },
    ]
