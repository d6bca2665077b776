"""What quantization costs in accuracy, on features that are not scaled."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn import discriminant_analysis, ensemble, linear_model, svm, tree
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold

import fhe_estimators
from benchmarks import data
from benchmarks.ensembles import PEER_BITS, Case, cases
from benchmarks.report import Row, at_least
from benchmarks.tools import Setup, progress

PLAIN = {
    **vars(discriminant_analysis),
    **vars(ensemble),
    **vars(linear_model),
    **vars(svm),
    **vars(tree),
}
CLASSIFIERS: dict[str, dict[str, Any]] = {
    "LogisticRegression": {"max_iter": 5000},
    "LinearSVC": {"dual": False},
    "LinearDiscriminantAnalysis": {},
    "RidgeClassifier": {},
}
REGRESSORS: dict[str, dict[str, Any]] = {"Ridge": {}, "LinearRegression": {}}
#: Bits, and the most that may be lost to scikit-learn.
CLASSIFICATION = ((4, 0.02), (8, 0.005))
REGRESSION = ((8, 0.01),)


def accuracy(setup: Setup) -> list[Row]:
    """Mean accuracy, or R2, over five folds, with that of scikit-learn taken off."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows: list[Row] = []
    for load in (data.breast_cancer, data.wine):
        rows += _compare(setup, load, StratifiedKFold, CLASSIFIERS, CLASSIFICATION)
    for load in (data.diabetes, data.breast_cancer_radius):
        rows += _compare(setup, load, KFold, REGRESSORS, REGRESSION)
    return rows


def _compare(
    setup: Setup, load: Any, splitter: Any, models: Any, allowances: Any
) -> list[Row]:
    X, y = load()
    folds = list(splitter(5, shuffle=True, random_state=0).split(X, y))
    rows: list[Row] = []
    for name, parameters in models.items():
        plain = _mean_score(PLAIN[name](**parameters), X, y, folds)
        for n_bits, allowance in allowances:
            model = getattr(fhe_estimators, name)(n_bits=n_bits, **parameters)
            ours = _mean_score(model, X, y, folds)
            theirs = setup.ask(
                "scores",
                X=X,
                y=y,
                folds=folds,
                name=name,
                parameters=parameters,
                n_bits=n_bits,
            )
            rows.append(
                {
                    "data": load.__name__,
                    "model": name,
                    "n_bits": n_bits,
                    "scikit-learn": plain,
                    "ours": ours,
                    "difference": ours - plain,
                    "peer": theirs and theirs["encrypted"],
                    "peer's difference": theirs and theirs["encrypted"] - theirs["plain"],
                    "goal": at_least(-allowance, ours - plain),
                }
            )
    return rows


def tree_accuracy(setup: Setup) -> list[Row]:
    """Mean accuracy, or R2, over five folds; scikit-learn's is taken off the others."""
    rows = []
    for case in cases():
        progress(str(case))
        rows.append(_compare_trees(setup, case))
    return rows


def _compare_trees(setup: Setup, case: Case) -> Row:
    X, y = case.load()
    splitter = KFold if case.regression else StratifiedKFold
    folds = list(splitter(5, shuffle=True, random_state=0).split(X, y))
    plain = _mean_score(PLAIN[case.name](**case.parameters), X, y, folds)
    ours = _mean_score(case.ours(), X, y, folds)
    peers, peer_plain = {}, None
    for n_bits in PEER_BITS if setup.peer else ():
        answer = setup.ask(
            "scores",
            X=X,
            y=y,
            folds=folds,
            name=case.peer_name,
            parameters=case.peer_parameters,
            n_bits=n_bits,
        )
        peers[f"peer, {n_bits} bits"] = answer["encrypted"] - plain
        peer_plain = answer["plain"] - plain
    return {
        "data": case.data,
        "model": case.model,
        "scikit-learn": plain,
        "ours": ours - plain,
        **peers,
        # XGBoost, which differs from scikit-learn's gradient boosting.
        "peer's plain": peer_plain,
        # The best of scikit-learn and the peers.
        "goal": at_least(-0.005, ours - plain - max([0, *peers.values()])),
    }


def _mean_score(model: Any, X: np.ndarray, y: np.ndarray, folds: Any) -> float:
    return float(
        np.mean(
            [
                clone(model).fit(X[train], y[train]).score(X[test], y[test])
                for train, test in folds
            ]
        )
    )
