"""XGBoost and LightGBM alike: twins, parameters, searches, imports."""

import subprocess
import sys

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

import fhe_estimators
from fhe_estimators import LGBMClassifier, LGBMRegressor, XGBRegressor
from fhe_estimators._config import fitting
from fhe_estimators.base import parent_of
from fhe_estimators.testing import expected_failed_checks
from tests.boosters import (
    CLASSIFIERS,
    FINE,
    REGRESSORS,
    assert_same,
    library_of,
    one_thread,
    split,
)

__all__ = ["one_thread"]  # a fixture

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


# Parameters ------------------------------------------------------------------------------


def squared_error(target, prediction):
    return prediction - target, np.ones_like(target)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (XGBRegressor(objective="rank:pairwise"), "'objective'.*'reg:gamma'"),
        (XGBRegressor(booster="gblinear"), "'booster'.*'gbtree'"),
        (XGBRegressor(multi_strategy="multi_output_tree"), "'multi_strategy'"),
        (XGBRegressor(missing=np.inf), "'missing'.*nan"),
        (XGBRegressor(binning="best"), "'binning'.*'quantile'"),
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


@pytest.mark.parametrize("cls", REGRESSORS)
def test_losses_of_the_users_own(fractions, cls):
    """Regressors predict the raw score; classifiers would have no labels."""
    X, y = fractions
    options = {"n_estimators": 4, "n_jobs": 1, "objective": squared_error}
    model = cls(**options, n_bits=FINE).fit(X, y)
    assert_same(model.predict(X), library_of(model).predict(X))
    own = parent_of(cls)(**options).fit(X, y)
    assert_same(cls.from_sklearn_model(own).predict(X), own.predict(X))
    for classifier in CLASSIFIERS:
        with pytest.raises(ValueError, match="'objective' parameter"):
            classifier(objective=squared_error).fit(X, y > y.mean())


def test_refusals_of_fitted_models(fractions):
    X, y = fractions
    own = xgboost.XGBRegressor(booster="gblinear", n_estimators=2).fit(X, y)
    with pytest.raises(ValueError, match="'booster'"):
        XGBRegressor.from_sklearn_model(own, X)


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


@pytest.mark.parametrize(
    "library", ["xgboost", pytest.param("lightgbm", marks=pytest.mark.nightly)]
)
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
