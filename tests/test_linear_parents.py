"""What single linear models do beyond predicting."""

import numpy as np
import pytest
from sklearn import linear_model

import fhe_estimators as fe
from fhe_estimators.base import parent_of

BAYESIAN = [fe.ARDRegression, fe.BayesianRidge]
PATHS = [fe.ElasticNetCV, fe.LassoCV]


def each(classes):
    return pytest.mark.parametrize("cls", classes, ids=lambda cls: cls.__name__)


@each(BAYESIAN)
def test_standard_deviation(diabetes, cls):
    X, y = diabetes
    model = cls(n_bits=16).fit(X, y)
    mean, deviation = model.predict(X, return_std=True)
    expected_mean, expected = parent_of(cls)().fit(X, y).predict(X, return_std=True)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-3)
    np.testing.assert_array_equal(deviation, expected)
    np.testing.assert_array_equal(model.predict(X), mean)


@each(BAYESIAN)
@pytest.mark.parametrize("mode", ["simulate", "execute"])
def test_standard_deviation_needs_rows_in_clear(diabetes, cls, mode):
    X, y = diabetes
    model = cls().fit(X, y)
    expected = f"return_std=True.*fhe='{mode}'.*return_std=False, or fhe='disable'"
    with pytest.raises(ValueError, match=expected):
        model.predict(X, return_std=True, fhe=mode)
    with fe.config_context(fhe=mode), pytest.raises(ValueError, match=expected):
        model.predict(X, True)
    with fe.config_context(fhe=mode):
        _, deviation = model.predict(X, return_std=True, fhe="disable")
    assert deviation.shape == y.shape


@each(PATHS)
def test_path(diabetes, cls):
    """It is the parent's, whether with our parameters or without."""
    X, y = (numbers - numbers.mean(axis=0) for numbers in diabetes)
    expected = parent_of(cls).path(X, y, alphas=[1.0, 0.1])
    for given in ({}, {"n_bits": 8, "range_margin": "auto", "p_error": 0.1}):
        found = cls.path(X, y, alphas=[1.0, 0.1], **given)
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match="colour"):
        cls.path(X, y, colour="red")


@each([*PATHS, fe.LogisticRegressionCV, fe.RidgeCV])
def test_choice_is_that_of_the_parent(diabetes, cls):
    X, y = diabetes
    if cls is fe.LogisticRegressionCV:
        X, y = (X - X.mean(axis=0)) / X.std(axis=0), y > np.median(y)
    few = {} if cls is fe.RidgeCV else {"cv": 3}
    model, parent = cls(**few).fit(X, y), parent_of(cls)(**few).fit(X, y)
    chosen = "C_" if cls is fe.LogisticRegressionCV else "alpha_"
    np.testing.assert_array_equal(getattr(model, chosen), getattr(parent, chosen))
    np.testing.assert_array_equal(model.coef_, parent.coef_)


def test_large_margins():
    """Squares of the margins of a model on large numbers would overflow."""
    X = np.array([[1.0], [2.0], [-1.0], [-2.0]]) * 1e90
    model = fe.Perceptron(max_iter=5, tol=None).fit(X, [1, 1, 0, 0])
    parent = linear_model.Perceptron(max_iter=5, tol=None).fit(X, [1, 1, 0, 0])
    np.testing.assert_array_equal(model.predict(X), parent.predict(X))


def test_partial_fit_of_the_perceptron(wine):
    X, y = wine
    model, parent = fe.Perceptron(n_bits=16), linear_model.Perceptron()
    for rows in (slice(0, None, 2), slice(1, None, 2)):
        model.partial_fit(X[rows], y[rows], classes=np.unique(y))
        parent.partial_fit(X[rows], y[rows], classes=np.unique(y))
    np.testing.assert_array_equal(model.coef_, parent.coef_)
    assert np.mean(model.predict(X) == parent.predict(X)) > 0.99
