"""Scores that are quadratic forms of the row."""

import numpy as np
import pytest
from sklearn import covariance, discriminant_analysis

from fhe_estimators import EllipticEnvelope, QuadraticDiscriminantAnalysis


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("options", [{}, {"solver": "eigen", "shrinkage": 0.1}], ids=str)
def test_discriminants(wine, n_classes, options):
    X, y = wine
    X, y = X[y < n_classes, :6], y[y < n_classes]
    ours = QuadraticDiscriminantAnalysis(n_bits=14, **options).fit(X, y)
    theirs = discriminant_analysis.QuadraticDiscriminantAnalysis(**options).fit(X, y)
    assert np.mean(ours.predict(X) == theirs.predict(X)) > 0.99
    found, expected = ours.decision_function(X), theirs.decision_function(X)
    np.testing.assert_allclose(found, expected, atol=0.01 * np.ptp(expected))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=0.1)


def test_outliers(wine):
    X, _ = wine
    X = X[:, :6]
    ours = EllipticEnvelope(n_bits=14, random_state=0).fit(X)
    theirs = covariance.EllipticEnvelope(random_state=0).fit(X)
    assert np.mean(ours.predict(X) == theirs.predict(X)) > 0.97
    for method in ("mahalanobis", "score_samples", "decision_function"):
        found, expected = (getattr(m, method)(X) for m in (ours, theirs))
        np.testing.assert_allclose(found, expected, atol=0.01 * np.ptp(expected))


def test_eight_bits_are_enough_for_labels(wine):
    X, y = wine
    X = X[:, :6]
    ours = QuadraticDiscriminantAnalysis().fit(X, y)
    theirs = discriminant_analysis.QuadraticDiscriminantAnalysis().fit(X, y)
    assert np.mean(ours.predict(X) == theirs.predict(X)) > 0.97
