"""What quantization adds to fitting and to predicting in clear."""

from __future__ import annotations

from functools import partial

import numpy as np
from sklearn import linear_model
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.data import breast_cancer, breast_cancer_scaled
from benchmarks.report import Row, at_least, at_most
from benchmarks.tools import Setup, against, seconds
from fhe_estimators import LogisticRegression

NAME = LogisticRegression.__name__


def fit(setup: Setup) -> list[Row]:
    """Fit, beside scikit-learn, after a first fit that warms up."""
    data = {
        "breast cancer scaled": (breast_cancer_scaled(), 5),
        "20000 x 50": (make_classification(20_000, 50, random_state=0), 3),
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
    """Predict 10**5 rows in clear, beside scikit-learn."""
    n_rows, times = 10**5, 3
    X, y = breast_cancer_scaled()
    rows = np.resize(X, (n_rows, X.shape[1]))
    ours = LogisticRegression().fit(X, y)
    plain = linear_model.LogisticRegression().fit(X, y)
    ours.predict(rows)
    plain.predict(rows)
    quantized, floating, theirs = setup.alternate(
        partial(seconds, partial(ours.predict, rows), times),
        partial(seconds, partial(plain.predict, rows), times),
        partial(
            setup.ask, "predict_clear", X=X, y=y, name=NAME, n_rows=n_rows, times=times
        ),
    )
    return [
        {
            "rows": n_rows,
            "ours (s)": quantized,
            "scikit-learn (s)": floating,
            "ours / scikit-learn": quantized / floating,
            "peer (s)": theirs and theirs["encrypted"],
            "peer / scikit-learn": theirs and theirs["encrypted"] / theirs["plain"],
            "goal": at_most(5, quantized / floating, "x"),
        }
    ]


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
