"""XGBoost's own ways to change a fitted model."""

import numpy as np
import pytest
import xgboost

from fhe_estimators import XGBClassifier, XGBRegressor
from fhe_estimators.exceptions import ModelChangedError
from tests.boosters import assert_same, library_of, one_thread

__all__ = ["one_thread"]  # a fixture


@pytest.fixture
def saved(wine, tmp_path):
    """A model of the library in a file: 10 rounds, three classes."""
    path = tmp_path / "model.json"
    xgboost.XGBClassifier(n_estimators=10).fit(*wine).save_model(path)
    return path


@pytest.mark.parametrize("n_rounds", [None, 2])
def test_xgboost_load_model(wine, saved, n_rounds):
    """On a new estimator, and on one that was fitted before."""
    X, y = wine
    model = XGBClassifier()
    if n_rounds is not None:
        model = XGBClassifier(n_estimators=n_rounds).fit(X[:, :5], y)
    model.load_model(saved)
    assert model.n_features_in_ == X.shape[1]
    np.testing.assert_array_equal(model.predict(X), library_of(model).predict(X))
    assert_same(model.predict_proba(X), library_of(model).predict_proba(X))
    # It can be fitted as any other.
    assert model.fit(X, y).score(X, y) > 0.95


def test_xgboost_labels_of_a_file(wine, saved):
    """There are none in it: classes are numbered, whatever was fitted before."""
    X, y = wine
    model = XGBClassifier(n_estimators=2).fit(X, np.array(["a", "b", "c"])[y])
    assert set(model.predict(X)) == {"a", "b", "c"}
    model.load_model(saved)
    assert list(model.classes_) == [0, 1, 2]
    np.testing.assert_array_equal(model.predict(X), library_of(model).predict(X))


def test_xgboost_model_that_cannot_be_encrypted(diabetes, tmp_path):
    X, y = diabetes
    path = tmp_path / "model.json"
    linear = xgboost.XGBRegressor(booster="gblinear", n_estimators=2).fit(X, y)
    linear.save_model(path)
    model = XGBRegressor()
    model.load_model(path)
    with pytest.raises(ModelChangedError, match=r"'booster'.*'gbtree'"):
        model.predict(X)


def update(booster, X, y):
    booster.update(xgboost.DMatrix(X, y), 3)


def refresh(booster, X, y):
    """Set leaves anew, with as many rounds."""
    with xgboost.config_context(verbosity=0):  # it warns of its parameters
        booster.set_param({"process_type": "update", "updater": "refresh"})
        booster.update(xgboost.DMatrix(X, -y), 0)


def stop_early(booster, X, y):
    booster.set_attr(best_iteration="1")


@pytest.mark.parametrize("change", [update, refresh, stop_early])
def test_xgboost_booster(diabetes, change):
    X, y = diabetes
    model = XGBRegressor(n_estimators=3).fit(X, y)
    before = model.predict(X)
    change(model.get_booster(), X, y)
    assert_same(model.predict(X), library_of(model).predict(X))
    assert np.abs(model.predict(X) - before).max() > 1


@pytest.mark.parametrize("name", ["max_depth", "p_error", "n_estimators"])
def test_xgboost_parameters_after_fit(wine, name):
    """The library sets them in the booster, too; its objective stays that of the fit."""
    X, y = wine
    model = XGBClassifier(n_estimators=2).fit(X, y)
    before, module = model.predict_proba(X), model.quantized_module_
    value = {"max_depth": 2, "p_error": 2**-40, "n_estimators": 9}[name]
    np.testing.assert_array_equal(
        model.set_params(**{name: value}).predict_proba(X), before
    )
    assert model.quantized_module_ is module
    assert model.get_params()[name] == value
    assert model.objective == "binary:logistic"


@pytest.mark.simulate
def test_compiled_boosters(diabetes):
    X, y = diabetes
    model = XGBRegressor(n_estimators=2, max_depth=2, n_bits=2).fit(X, y)
    model.compile()
    update(model.get_booster(), X, y)
    simulated = model.predict(X[:9], fhe="simulate")
    np.testing.assert_array_equal(simulated, model.predict(X[:9]))
    assert_same(simulated, library_of(model).predict(X[:9]))
