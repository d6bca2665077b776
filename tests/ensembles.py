"""Ensembles of trees and their parents, fitted on the same bins, for several files."""

import inspect

import numpy as np
import pytest

import fhe_estimators as fe
from fhe_estimators.base import parent_of

CLASSIFIERS = (
    "DecisionTreeClassifier",
    "ExtraTreesClassifier",
    "GradientBoostingClassifier",
    "HistGradientBoostingClassifier",
    "RandomForestClassifier",
)
REGRESSORS = tuple(name.replace("Classifier", "Regressor") for name in CLASSIFIERS)
ALL = (*CLASSIFIERS, *REGRESSORS, "IsolationForest")

each_classifier = pytest.mark.parametrize("name", CLASSIFIERS)
each_regressor = pytest.mark.parametrize("name", REGRESSORS)


def few(name, n_trees=20):
    """Return the parameters of an ensemble of few trees that is always the same."""
    names = inspect.signature(getattr(fe, name)).parameters
    few = {"n_estimators": n_trees, "max_iter": n_trees, "random_state": 0}
    return {name: few[name] for name in few.keys() & names}


def on_bins(model, X):
    """Return the rows that stand for those of `X` in the bins of a fitted model."""
    X = np.asarray(X, model._feature_dtype)
    return model._bin_edges.snapped(X, model.representatives)


def fitted(model, X, y, **fit):
    """Fit a model and note what stood for the values in its bins, which it forgets."""
    model.fit(X, y, **fit)
    counted = np.asarray(X, model._feature_dtype)
    if "sample_weight" in fit:
        counted = counted[fit["sample_weight"] > 0]
    model.representatives = model._bin_edges.representatives(counted)
    return model


def pair(name, X, y, fit=None, n_trees=20, **parameters):
    """Return our estimator and its parent, both fitted once, on the rows in bins."""
    fit = fit or {}
    cls, once = getattr(fe, name), {"binning": "adaptive"}
    ours = fitted(cls(**{**few(name, n_trees), **once, **parameters}), X, y, **fit)
    theirs = parent_of(cls)()
    shared = ours.get_params().keys() & theirs.get_params().keys()
    theirs.set_params(**{name: ours.get_params()[name] for name in shared})
    return ours, theirs.fit(on_bins(ours, X), y, **fit)


def raw(model, X):
    """Return the scores that are computed encrypted, or what comes nearest to them."""
    for method in ("decision_function", "predict_proba", "predict"):
        if hasattr(model, method):
            scores = getattr(model, method)(X)
            break
    if getattr(model, "loss", None) in ("poisson", "gamma"):
        scores = np.log(scores)
    return np.stack(scores, axis=1) if isinstance(scores, list) else scores


def assert_same(ours, theirs, X):
    """Scores differ by a percent of their deviation; those of one tree do not."""
    found, expected = raw(ours, X), raw(theirs, on_bins(ours, X))
    assert found.shape == expected.shape
    if hasattr(ours, "tree_"):
        np.testing.assert_array_equal(found, expected)
    error = np.sqrt(np.mean((found - expected) ** 2))
    deviation = np.sqrt(np.mean(expected.var(axis=0)))
    assert error <= 0.01 * deviation


def data_of(request, name):
    if "Regressor" in name:
        return request.getfixturevalue("diabetes")
    return request.getfixturevalue("breast_cancer")
