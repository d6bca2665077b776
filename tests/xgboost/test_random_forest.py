"""XGBoost's random forests, against its own predictions."""

import numpy as np
import pytest
import xgboost

from fhe_estimators import XGBRFClassifier, XGBRFRegressor
from tests.boosters import FINE, assert_same, library_of, one_thread, split

__all__ = ["one_thread"]  # a fixture


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes(wine, n_classes):
    X, X_test, y, _ = split(wine)
    y = np.minimum(y, n_classes - 1)
    model = XGBRFClassifier(n_estimators=12, n_bits=FINE, n_jobs=1).fit(X, y)
    per_round = n_classes if n_classes > 2 else 1
    assert len(model._comparisons()) == 12 * per_round
    assert_same(model.predict_proba(X_test), library_of(model).predict_proba(X_test))
    own = xgboost.XGBRFClassifier(n_estimators=12, n_jobs=1).fit(X, y)
    twin = XGBRFClassifier.from_sklearn_model(own)
    np.testing.assert_array_equal(twin.predict(X_test), own.predict(X_test))
    named = np.array(["a", "b", "c"])[y]
    assert np.mean(model.fit(X, named).predict(X) == named) > 0.9


def test_numbers(diabetes):
    X, X_test, y, _ = split(diabetes)
    model = XGBRFRegressor(n_estimators=12, n_bits=FINE, n_jobs=1).fit(X, y)
    assert_same(model.predict(X_test), library_of(model).predict(X_test))
    own = xgboost.XGBRFRegressor(n_estimators=12, n_jobs=1).fit(X, y)
    assert_same(XGBRFRegressor.from_sklearn_model(own).predict(X_test), own.predict(X_test))
