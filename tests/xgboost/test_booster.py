"""XGBoost: trees, links and labels, against its own predictions."""

import pickle

import numpy as np
import pytest

from fhe_estimators import XGBClassifier, XGBRegressor
from fhe_estimators.xgboost._document import next_float
from tests.boosters import FINE, assert_same, library_of, log_loss, one_thread, split

__all__ = ["one_thread"]  # a fixture

# Objectives ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("objective", "options"),
    [
        ("reg:squarederror", {}),
        ("reg:logistic", {}),
        ("reg:pseudohubererror", {"huber_slope": 0.5}),
        ("count:poisson", {}),
        ("reg:gamma", {}),
        ("reg:tweedie", {"tweedie_variance_power": 1.2}),
        ("reg:absoluteerror", {}),
        ("reg:quantileerror", {"quantile_alpha": 0.8}),
        ("reg:quantileerror", {"quantile_alpha": [0.2, 0.8]}),
        ("reg:squaredlogerror", {}),
        ("count:poisson", {"base_score": 0.3}),
        ("reg:logistic", {"base_score": 0.3}),
        (None, {"base_score": 0.3}),
    ],
)
def test_xgboost_regression_objectives(fractions, objective, options):
    X, y = fractions
    model = XGBRegressor(objective=objective, n_estimators=4, n_bits=FINE, **options)
    own = library_of(model.fit(X, y))
    assert_same(model.predict(X), own.predict(X))
    margins = own.predict(X, output_margin=True)
    assert_same(model.predict(X, output_margin=True), margins)


@pytest.mark.parametrize(
    ("objective", "n_classes"),
    [
        ("binary:logistic", 2),
        ("binary:logistic", 3),
        ("binary:logitraw", 2),
        ("binary:hinge", 2),
        ("multi:softprob", 3),
        ("multi:softmax", 3),
    ],
)
def test_xgboost_classification_objectives(wine, objective, n_classes):
    X, y = wine
    y = np.minimum(y, n_classes - 1)
    model = XGBClassifier(objective=objective, n_estimators=4, n_bits=FINE)
    own = library_of(model.fit(X, y))
    assert model.objective == objective
    np.testing.assert_array_equal(model.predict(X), own.predict(X))
    assert_same(model.predict_proba(X), own.predict_proba(X))
    margins = own.predict(X, output_margin=True)
    assert_same(model.predict(X, output_margin=True), margins)


def test_xgboost_several_outputs(fractions):
    X, y = fractions
    model = XGBRegressor(n_estimators=5, n_bits=FINE).fit(X, np.stack([y, -y], 1))
    assert_same(model.predict(X), library_of(model).predict(X))
    labels = np.stack([y > 0.3, y > 0.4, y < 0.5], 1).astype(int)
    model = XGBClassifier(n_estimators=5, n_bits=FINE).fit(X, labels)
    np.testing.assert_array_equal(model.predict(X), library_of(model).predict(X))
    assert_same(model.predict_proba(X), library_of(model).predict_proba(X))


# Boosters --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"booster": "dart", "rate_drop": 0.5, "one_drop": 1},
        {"num_parallel_tree": 3, "subsample": 0.5},
        {"tree_method": "exact", "max_depth": 1},
        {"grow_policy": "lossguide", "max_leaves": 4, "max_depth": 0},
    ],
)
def test_xgboost_boosters(wine, options):
    X, y = wine
    model = XGBClassifier(n_estimators=5, n_bits=FINE, **options).fit(X, y)
    assert_same(model.predict_proba(X), library_of(model).predict_proba(X))


def test_xgboost_early_stopping(wine):
    """Rounds are chosen by the loss of the model that is left, on its bins."""
    X, X_test, y, y_test = split(wine)
    model = XGBClassifier(early_stopping_rounds=2, learning_rate=1, n_bits=FINE)
    model.fit(X, y, eval_set=[(X_test, y_test)], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    found = model.evals_result()["validation_0"]["mlogloss"][model.best_iteration]
    assert log_loss(model, X_test, y_test) == pytest.approx(found, rel=1e-3)
    for same in (library_of(model), pickle.loads(pickle.dumps(model))):
        assert_same(model.predict_proba(X_test), same.predict_proba(X_test))


def test_floats_are_compared_as_edges():
    """``x < next_float(e)`` is ``x <= e`` for every float: edges beside floats, too."""
    floats = np.float32([-3e38, -1.5, -1e-45, 0, 1e-45, 0.1, 1, 16777216, 3e38])
    neighbours = np.concatenate(
        [np.nextafter(floats, np.float32(s)) for s in (-3.4e38, 3.4e38)]
    )
    rows = np.concatenate([floats, neighbours])[:, np.newaxis]
    edges = np.concatenate([floats, neighbours, [0.1, -0.1, 1 + 1e-12]]).astype(np.float64)
    edges = np.concatenate(
        [edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)]
    )
    edges = edges[np.abs(edges) < np.finfo(np.float32).max]
    np.testing.assert_array_equal(rows < next_float(edges), rows <= edges)


def test_labels_of_any_type(wine):
    X, X_test, y, y_test = split(wine)
    names = np.array(["c", "a", "b"])
    model = XGBClassifier(n_estimators=5, early_stopping_rounds=2)
    model.fit(X, names[y], eval_set=[(X_test, names[y_test])], verbose=False)
    assert list(model.classes_) == ["a", "b", "c"]
    assert model.score(X_test, names[y_test]) > 0.9
    # The labels of an earlier fit are forgotten.
    assert model.set_params(early_stopping_rounds=None).fit(X, y + 5).score(X, y + 5) > 0.9


# What is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": 1e200}, "y contains infinity or a value too large for .*float32"),
        ({"sample_weight": -1.0}, "Negative values in data passed to `sample_weight`"),
    ],
)
def test_what_native_code_would_refuse_is_named(change, message):
    X = np.arange(20.0).reshape(10, 2)
    given = {"y": np.ones(10), "sample_weight": np.ones(10)}
    for name, value in change.items():
        given[name][3] = value
    with pytest.raises(ValueError, match=message):
        XGBRegressor(n_estimators=1).fit(X, **given)
