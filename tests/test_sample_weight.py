"""A row of weight zero changes nothing, whatever its numbers are."""

import inspect
import warnings

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression as Parent
from sklearn.metrics import r2_score

import fhe_estimators as fe
from fhe_estimators.base import parent_of
from fhe_estimators.linear_model import LinearRegression
from fhe_estimators.testing import all_estimators
from fhe_estimators.tree import DecisionTreeClassifier, DecisionTreeRegressor

#: Their fits draw nothing, such as the order of rows.
DETERMINISTIC = [
    cls
    for _, cls in all_estimators()
    if "sample_weight" in inspect.signature(cls.fit).parameters
    and "net" not in inspect.signature(cls).parameters
    and cls().__sklearn_tags__().fhe_tags.levelled
    and not cls.__name__.startswith(("SGD", "LinearSV", "MiniBatch"))
    and not cls().__sklearn_tags__().input_tags.positive_only
] + [DecisionTreeClassifier, DecisionTreeRegressor]


@pytest.mark.parametrize("cls", DETERMINISTIC, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("number", [1e3, 1e12])
def test_a_row_of_weight_zero_is_as_good_as_absent(cls, number, breast_cancer):
    X, y = breast_cancer
    X = (X[:, :6] - X[:, :6].mean(axis=0)) / X[:, :6].std(axis=0)
    y = y if is_classifier(cls()) else np.exp(X[:, 0] / 2)
    more = np.vstack([X, np.full(X.shape[1], number)])
    target = np.append(y, y[0] if is_classifier(cls()) else number)
    weights = np.append(np.ones(len(X)), 0.0)
    options = {"random_state": 0} if "random_state" in cls().get_params() else {}

    def fitted(kind):
        return kind(**options).fit(more, target, sample_weight=weights)

    parent = parent_of(cls)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        expected = parent(**options).fit(X, y).predict(X)
        found = fitted(parent).predict(X)
    if not np.allclose(found, expected, rtol=1e-3):
        pytest.skip("scikit-learn's own fit depends on the row")
    ours, without = fitted(cls).predict(X), cls(**options).fit(X, y).predict(X)
    np.testing.assert_allclose(ours, without, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("kind", ["target", "features", "far features"])
def test_large_offsets_cost_no_accuracy(kind):
    """And more bits are never worse."""
    random = np.random.default_rng(0)
    X = random.normal(size=(500, 6))
    y = X @ random.normal(size=6) + 0.1 * random.normal(size=500)
    if kind == "target":
        y = y + 1e12
    else:
        X = X + (1e9 if kind == "features" else 1e12)
    expected = Parent().fit(X, y).predict(X)
    scores = [
        r2_score(expected, LinearRegression(n_bits=bits).fit(X, y).predict(X))
        for bits in (6, 8, 10, 12, 14, 16)
    ]
    assert scores == sorted(scores)
    assert scores[1] > 0.999
    assert scores[-1] > 1 - 1e-7


@pytest.mark.parametrize(
    "name", ["DecisionTreeRegressor", "HistGradientBoostingRegressor", "LGBMRegressor"]
)
def test_bins_need_a_row_of_positive_weight(name):
    X = np.arange(60.0).reshape(30, 2)
    with pytest.raises(ValueError, match=r"sample_weight is positive, the largest is -1"):
        getattr(fe, name)().fit(X, X[:, 0], sample_weight=np.full(30, -1.0))
