"""Isolation forests against those of scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import fhe_estimators as fe
from fhe_estimators.base import parent_of
from tests.ensembles import on_bins, pair


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_samples": "auto", "n_estimators": 10},
        {"max_features": 0.2},
        {"max_features": 1, "bootstrap": True},
        {"contamination": 0.1},
        {"max_samples": 1},
    ],
    ids=str,
)
def test_isolation_forest(breast_cancer, options):
    X, y = breast_cancer
    ours, theirs = pair("IsolationForest", X, y, **options)
    rows = on_bins(ours, X)
    expected = theirs.score_samples(rows)
    if options.get("max_samples") == 1:
        np.testing.assert_array_equal(ours.score_samples(X), expected)
        return
    error = np.sqrt(np.mean((ours.score_samples(X) - expected) ** 2))
    assert error <= 0.01 * np.std(expected)
    assert np.mean(ours.predict(X) == theirs.predict(rows)) >= 0.99
    assert ours.offset_ == pytest.approx(theirs.offset_, abs=2e-3)


def test_isolation_forest_finds_outliers(breast_cancer):
    """As well as scikit-learn's, which takes eight times as many rows for a tree."""
    X, y = breast_cancer
    X, outlier = np.concatenate([X[y == 1], X[y == 0][:20]]), np.arange(377) >= 357
    for cls in (fe.IsolationForest, parent_of(fe.IsolationForest)):
        model = cls(random_state=0).fit(X)
        assert roc_auc_score(outlier, -model.score_samples(X)) > 0.9


@pytest.mark.simulate
def test_isolation_forest_takes_the_mode(breast_cancer):
    X, _ = breast_cancer
    model = fe.IsolationForest(n_estimators=5, random_state=0)
    clear = model.fit_predict(X[:100])
    np.testing.assert_array_equal(model.fit_predict(X[:100], fhe="simulate"), clear)
    assert model.quantized_module_.is_compiled
    for method in ("predict", "decision_function", "score_samples"):
        call = getattr(model, method)
        np.testing.assert_array_equal(call(X, fhe="simulate"), call(X))


@pytest.mark.parametrize("seed", range(5))
def test_the_fraction_of_outliers_is_that_of_rounded_scores(seed):
    """The parent's limit divides exact ones: a few rows were on the other side of it."""
    X = np.random.default_rng(seed).normal(size=(200, 2))
    model = fe.IsolationForest(n_estimators=5, contamination=0.1, random_state=seed).fit(X)
    scores = model.score_samples(X)
    tied = np.sum(scores == model.offset_)
    assert 20 - tied <= np.sum(model.predict(X) == -1) <= 20
    assert model.offset_ == np.percentile(scores, 10)
