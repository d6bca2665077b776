"""LightGBM: trees, links and names, against its own predictions."""

import pickle

import lightgbm
import numpy as np
import pandas as pd
import pytest

from fhe_estimators import LGBMClassifier, LGBMRegressor
from tests.boosters import FINE, assert_same, library_of, log_loss, one_thread, split

__all__ = ["one_thread"]  # a fixture


@pytest.mark.parametrize(
    "objective",
    [
        "regression",
        "regression_l1",
        "huber",
        "fair",
        "poisson",
        "quantile",
        "mape",
        "gamma",
        "tweedie",
        "cross_entropy",
        "cross_entropy_lambda",
        "mse",
        None,
    ],
)
def test_lightgbm_regression_objectives(fractions, objective):
    X, y = fractions
    model = LGBMRegressor(objective=objective, n_estimators=4, n_bits=FINE)
    own = library_of(model.fit(X, y))
    assert_same(model.predict(X), own.predict(X))
    scores = own.predict(X, raw_score=True)
    assert_same(model.predict(X, raw_score=True), scores)


@pytest.mark.parametrize(
    ("n_classes", "options"),
    [
        (2, {}),
        (2, {"scale_pos_weight": 3.0}),
        (2, {"class_weight": "balanced"}),
        (2, {"sigmoid": 2.5}),
        (3, {"objective": "multiclassova", "sigmoid": 0.4}),
        (3, {}),
        (3, {"objective": "multiclassova", "class_weight": {0: 2, 1: 1, 2: 3}}),
    ],
)
def test_lightgbm_classification_objectives(wine, n_classes, options):
    X, y = wine
    model = LGBMClassifier(n_estimators=4, n_bits=FINE, **options)
    own = library_of(model.fit(X, np.minimum(y, n_classes - 1)))
    np.testing.assert_array_equal(model.predict(X), own.predict(X))
    assert_same(model.predict_proba(X), own.predict_proba(X))
    assert_same(model.decision_function(X), own.predict(X, raw_score=True))
    assert_same(model.predict_proba(X, raw_score=True), own.predict(X, raw_score=True))


@pytest.mark.parametrize("boosting_type", ["dart", "rf"])
def test_lightgbm_boosters(wine, boosting_type):
    X, y = wine
    options = {"boosting_type": boosting_type, "subsample": 0.5, "subsample_freq": 1}
    model = LGBMClassifier(n_estimators=5, n_bits=FINE, random_state=0, **options)
    model.fit(X, y)
    assert_same(model.predict_proba(X), library_of(model).predict_proba(X))
    # Those of random forests are sums, though probabilities come from means.
    raw = library_of(model).predict(X, raw_score=True)
    assert_same(model.predict(X, raw_score=True), raw)
    assert_same(model.decision_function(X), raw)


@pytest.mark.parametrize("as_tuple", [False, True])
def test_lightgbm_early_stopping(wine, as_tuple):
    X, X_test, y, y_test = split(wine)
    eval_X, eval_y = ((X_test,), (y_test,)) if as_tuple else (X_test, y_test)
    model = LGBMClassifier(learning_rate=1.0, min_child_samples=5, n_bits=FINE)
    stop = lightgbm.early_stopping(2, verbose=False)
    model.fit(X, y, eval_X=eval_X, eval_y=eval_y, callbacks=[stop])
    assert 0 < model.best_iteration_ < 50
    (found,) = (losses["multi_logloss"] for losses in model.evals_result_.values())
    assert log_loss(model, X_test, y_test) == pytest.approx(
        found[model.best_iteration_ - 1], rel=1e-3
    )
    for same in (library_of(model), pickle.loads(pickle.dumps(model))):
        assert_same(model.predict_proba(X_test), same.predict_proba(X_test))


def test_names_with_blanks():
    """LightGBM replaces blanks; frames with them are the frames that it was fitted on."""
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(80, 2)), columns=["the first", "second"])
    y = (X["second"] > 0).to_numpy()
    model = LGBMClassifier(n_estimators=3).fit(X, y)
    assert list(model.feature_names_in_) == ["the_first", "second"]
    assert model.score(X, y) > 0.9
    own = lightgbm.LGBMClassifier(n_estimators=3, verbosity=-1).fit(X, y)
    twin = LGBMClassifier.from_sklearn_model(own, X)
    np.testing.assert_array_equal(twin.predict(X), own.predict(X))
    assert list(X.columns) == ["the first", "second"]
