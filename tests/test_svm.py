"""Support vector machines whose kernel is linear."""

import numpy as np
import pytest
from sklearn import svm

from fhe_estimators import SVC, SVR, OneClassSVM


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "options", [{}, {"break_ties": True}, {"decision_function_shape": "ovo"}], ids=str
)
def test_votes_of_pairs(wine, n_classes, options):
    X, y = wine
    X, y = X[y < n_classes], np.array(["c", "a", "b"])[y[y < n_classes]]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    ours = SVC(n_bits=16, **options).fit(X, y)
    theirs = svm.SVC(kernel="linear", **options).fit(X, y)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    found, expected = ours.decision_function(X), theirs.decision_function(X)
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_regression_and_outliers(diabetes):
    X, y = diabetes
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    found = SVR(n_bits=14).fit(X, y).predict(X)
    np.testing.assert_allclose(found, svm.SVR(kernel="linear").fit(X, y).predict(X), 1e-2)
    ours = OneClassSVM(nu=0.1, n_bits=14).fit(X + 5)
    theirs = svm.OneClassSVM(kernel="linear", nu=0.1).fit(X + 5)
    for method in ("decision_function", "score_samples"):
        found, expected = (getattr(m, method)(X + 5) for m in (ours, theirs))
        np.testing.assert_allclose(found, expected, atol=0.01 * np.ptp(expected))
    assert np.mean(ours.predict(X + 5) == theirs.predict(X + 5)) > 0.98


@pytest.mark.parametrize("cls", [SVC, SVR, OneClassSVM])
def test_other_kernels_are_refused(cls, wine):
    with pytest.raises(ValueError, match="'kernel' parameter"):
        cls(kernel="rbf").fit(*wine)


def test_probabilities_are_refused(wine):
    with pytest.raises(ValueError, match="probability=True"):
        SVC(probability=True).fit(*wine)
