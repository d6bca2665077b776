"""XGBoost and LightGBM: trees, links and parameters, against their own predictions."""

import pickle
import subprocess
import sys

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from threadpoolctl import threadpool_limits

import fhe_estimators
from fhe_estimators import LGBMClassifier, LGBMRegressor, XGBClassifier, XGBRegressor
from fhe_estimators._config import fitting
from fhe_estimators.base import parent_of
from fhe_estimators.testing import expected_failed_checks
from fhe_estimators.xgboost._booster import _next_float

#: Fine leaves: what is left of an error is not rounding.
FINE = {"op_inputs": 4, "op_weights": 16}

CLASSIFIERS = [XGBClassifier, LGBMClassifier]
REGRESSORS = [XGBRegressor, LGBMRegressor]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Threads wait for each other by spinning: on a busy machine that takes seconds."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")  # where LightGBM looks
    with threadpool_limits(1, user_api="openmp"):
        yield


def library_of(model):
    """Return the mirrored class with the same booster."""
    parent = parent_of(type(model))
    own = parent.__new__(parent)
    own.__dict__.update(vars(model))
    return own


def assert_same(found, expected):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.std(expected))


def split(data):
    return train_test_split(*data, random_state=0)


@pytest.fixture(scope="module")
def fractions(diabetes):
    """Rows and a target in (0, 1), which every objective takes."""
    X, y = diabetes
    return X[::3], y[::3] / 400


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


def log_loss(model, X, y):
    return -np.log(model.predict_proba(X)[np.arange(len(y)), y]).mean()


def test_xgboost_early_stopping(wine):
    """Rounds are chosen by the loss of the model that is left, on its grid."""
    X, X_test, y, y_test = split(wine)
    model = XGBClassifier(early_stopping_rounds=2, learning_rate=1, n_bits=FINE)
    model.fit(X, y, eval_set=[(X_test, y_test)], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    found = model.evals_result()["validation_0"]["mlogloss"][model.best_iteration]
    assert log_loss(model, X_test, y_test) == pytest.approx(found, rel=1e-3)
    for same in (library_of(model), pickle.loads(pickle.dumps(model))):
        assert_same(model.predict_proba(X_test), same.predict_proba(X_test))


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


def test_floats_are_compared_as_edges():
    """``x < _next_float(e)`` is ``x <= e`` for every float: edges beside floats, too."""
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
    np.testing.assert_array_equal(rows < _next_float(edges), rows <= edges)


# Models that the libraries fitted --------------------------------------------------------


@pytest.mark.parametrize("cls", CLASSIFIERS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_twins_agree_on_all_labels(wine, cls, n_classes):
    X, X_test, y, _ = split(wine)
    options = {"verbosity": -1} if cls is LGBMClassifier else {}
    own = parent_of(cls)(n_estimators=30, **options).fit(X, np.minimum(y, n_classes - 1))
    twin = cls.from_sklearn_model(own, X)
    for rows in (X, X_test):
        np.testing.assert_array_equal(twin.predict(rows), own.predict(rows))
    coarse = cls.from_sklearn_model(own, X, n_bits=5)
    assert np.mean(coarse.predict(X) == own.predict(X)) > 0.9
    # Its trees have the thresholds of its circuit.
    rounded = coarse.predict_proba(X_test)
    with fitting():
        np.testing.assert_allclose(coarse.predict_proba(X_test), rounded, atol=0.02)


@pytest.mark.parametrize("cls", REGRESSORS)
def test_twins_predict_the_same_numbers(diabetes, cls):
    X, X_test, y, _ = split(diabetes)
    options = {"verbosity": -1} if cls is LGBMRegressor else {}
    own = parent_of(cls)(n_estimators=20, **options).fit(X, y)
    twin = cls.from_sklearn_model(own, X)
    expected = own.predict(X_test)
    np.testing.assert_allclose(twin.predict(X_test), expected, atol=2e-3 * expected.std())


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


# Parameters ------------------------------------------------------------------------------


def squared_error(target, prediction):
    return prediction - target, np.ones_like(target)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (XGBRegressor(objective=squared_error), "'objective'.*'reg:gamma'"),
        (XGBRegressor(objective="rank:pairwise"), "'objective'.*'reg:gamma'"),
        (XGBRegressor(booster="gblinear"), "'booster'.*'gbtree'"),
        (XGBRegressor(multi_strategy="multi_output_tree"), "'multi_strategy'"),
        (XGBRegressor(enable_categorical=True), "'enable_categorical'"),
        (XGBRegressor(missing=0.0), "'missing'.*nan"),
        (XGBRegressor(binning="best"), "'binning'.*'quantile'"),
        (LGBMRegressor(objective=squared_error), "'objective'.*'gamma'"),
        (LGBMRegressor(objective="lambdarank"), "'objective'.*'gamma'"),
        (LGBMRegressor(linear_tree=True), "'linear_tree'"),
        (LGBMRegressor(zero_as_missing=True), "'zero_as_missing'"),
        (LGBMRegressor(reg_sqrt=True), "'reg_sqrt'"),
        (LGBMRegressor(binning="best"), "'binning'.*'quantile'"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_refusals(fractions, model, words):
    with pytest.raises(ValueError, match=words):
        model.set_params(n_estimators=2).fit(*fractions)


def test_refusals_of_fitted_models(fractions, wine):
    X, y = fractions
    own = xgboost.XGBRegressor(booster="gblinear", n_estimators=2).fit(X, y)
    with pytest.raises(ValueError, match="'booster'"):
        XGBRegressor.from_sklearn_model(own, X)
    own = xgboost.XGBRegressor(feature_types=["c"] + ["q"] * 9, enable_categorical=True)
    sexes = np.c_[X[:, 1] - 1, X[:, :1], X[:, 2:]]
    own.fit(sexes, sexes[:, 0])
    with pytest.raises(ValueError, match="'enable_categorical'"):
        XGBRegressor.from_sklearn_model(own, sexes)
    own = lightgbm.LGBMRegressor(n_estimators=2, verbosity=-1)
    own.fit(sexes, sexes[:, 0], categorical_feature=[0])
    with pytest.raises(ValueError, match="'categorical_feature'"):
        LGBMRegressor.from_sklearn_model(own, sexes)
    X, y = wine
    with pytest.raises(ValueError, match=r"'sigmoid'.*1\.0"):
        LGBMClassifier(objective="multiclassova", sigmoid=2.0, n_estimators=2).fit(X, y)


def test_arguments_of_predict(fractions):
    X, y = fractions
    model = XGBRegressor(n_estimators=4, n_bits=FINE).fit(X, y)
    own, margin = library_of(model), np.arange(len(X)) / 99
    assert_same(model.predict(X, base_margin=margin), own.predict(X, base_margin=margin))
    assert_same(model.predict(X, iteration_range=(0, 0)), own.predict(X))
    with pytest.raises(ValueError, match="'iteration_range'"):
        model.predict(X, iteration_range=(0, 2))
    model = LGBMRegressor(n_estimators=4).fit(X, y)
    for name, value in (
        ("start_iteration", 1),
        ("num_iteration", 2),
        ("pred_leaf", True),
        ("pred_contrib", True),
    ):
        with pytest.raises(ValueError, match=f"'{name}'"):
            model.predict(X, **{name: value})


def test_labels_of_any_type(wine):
    X, X_test, y, y_test = split(wine)
    names = np.array(["c", "a", "b"])
    model = XGBClassifier(n_estimators=5, early_stopping_rounds=2)
    model.fit(X, names[y], eval_set=[(X_test, names[y_test])], verbose=False)
    assert list(model.classes_) == ["a", "b", "c"]
    assert model.score(X_test, names[y_test]) > 0.9
    # The labels of an earlier fit are forgotten.
    assert model.set_params(early_stopping_rounds=None).fit(X, y + 5).score(X, y + 5) > 0.9


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_search_over_bits(wine, cls):
    X, y = wine
    pipe = make_pipeline(StandardScaler(), cls(n_estimators=3))
    grid = {f"{cls.__name__.lower()}__n_bits": [1, 3]}
    assert GridSearchCV(pipe, grid, cv=2).fit(X, y).best_score_ > 0.8


@pytest.mark.parametrize("cls", [*CLASSIFIERS, *REGRESSORS])
def test_silence(wine, cls, capfd):
    X, y = wine
    model = cls(n_estimators=2).fit(X, y)
    model.predict(X)
    cls.from_sklearn_model(library_of(model), X)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "model",
    [
        xgboost.XGBClassifier(),
        lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=5, verbosity=-1),
        lightgbm.LGBMRegressor(n_estimators=5, min_child_samples=5, verbosity=-1),
    ],
    ids=lambda model: type(model).__name__,
)
def test_libraries_fail_the_checks_that_we_fail(model):
    name = type(model).__name__
    (check,) = expected_failed_checks(getattr(fhe_estimators, name)())
    with pytest.raises(AssertionError):
        getattr(estimator_checks, check)(name, model)


# Libraries -------------------------------------------------------------------------------


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_missing_library(library):
    """The rest works; who asks for the estimator learns what to install."""
    name = {"xgboost": "XGBClassifier", "lightgbm": "LGBMClassifier"}[library]
    code = f"""
import sys
sys.modules[{library!r}] = None
import fhe_estimators
from fhe_estimators import *
from fhe_estimators.testing import all_estimators
print({name!r} in dir(fhe_estimators), {name!r} in dict(all_estimators()))
print(len(all_estimators()) > 15)
for module in ("fhe_estimators", "fhe_estimators.{library}"):
    try:
        exec(f"from {{module}} import {name}")
    except ImportError as error:
        print(error)
"""
    *answers, one, other = run(code).splitlines()
    assert " ".join(answers) == "False False True"
    assert one == other
    assert f"pip install 'fhe-estimators[{library}]'" in one


@pytest.mark.parametrize("first", ["import torch", "import xgboost"])
def test_order_of_imports(first):
    """Each library brings threads of its own; they run in one process, in any order."""
    code = f"""
{first}
import numpy as np
import fhe_estimators
from fhe_estimators import LGBMRegressor, XGBRegressor
X = np.random.default_rng(0).normal(size=(500, 3))
for cls in (LGBMRegressor, XGBRegressor):
    model = cls(n_estimators=3, n_jobs=2).fit(X, X[:, 0])
    print(model.score(X, X[:, 0]) > 0.3)
"""
    assert run(code).split() == ["True", "True"]


@pytest.mark.fhe
@pytest.mark.parametrize("cls", [*CLASSIFIERS, *REGRESSORS])
def test_encrypted(wine, cls):
    X, y = wine
    model = cls(n_estimators=2, max_depth=2, n_bits=2, p_error=2**-40).fit(X, y)
    np.testing.assert_array_equal(model.predict(X[:3], fhe="execute"), model.predict(X[:3]))
