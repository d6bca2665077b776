"""Rows beyond those of training: what is clipped is told, and how to clip less."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression as Parent
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from fhe_estimators import ClippingWarning, GaussianNB, LinearRegression, Ridge
from fhe_estimators.torch import compile_torch_model
from fhe_estimators.tree import DecisionTreeRegressor

YEARS = np.arange(1950.0, 2021)[:, np.newaxis]
TREND = 3 * YEARS[:, 0] + np.random.default_rng(0).normal(size=71)
LATER = np.array([[2040.0], [2300.0]])


def quiet(predict, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ClippingWarning)
        return predict(*args, **kwargs)


def test_clipping_is_told_once_with_share_and_features():
    X = pd.DataFrame({"year": YEARS[:, 0], "noise": np.tile(YEARS[:, 0], 1) % 7})
    model = Ridge().fit(X, TREND)
    quiet(model.predict, X)
    rows = pd.DataFrame({"year": [2000.0, 2500.0], "noise": [3.0, 4.0]})
    match = r"^25\.00% of the numbers .* \(features year\)\. .* set range_margin"
    with pytest.warns(ClippingWarning, match=match):
        model.predict(rows)
    quiet(model.predict, rows)
    # A new fit is a new model.
    with pytest.warns(ClippingWarning):
        model.fit(X, TREND).predict(rows)
    with pytest.warns(ClippingWarning):
        pickle.loads(pickle.dumps(model.fit(X, TREND))).predict(rows)


@pytest.mark.parametrize(
    "predict",
    [
        lambda model: model.predict(LATER),
        lambda model: model.predict(LATER, fhe="simulate"),
        lambda model: make_pipeline(FunctionTransformer(), model).predict(LATER),
    ],
    ids=["clear", "simulated", "in_pipeline"],
)
def test_the_line_of_the_user_is_named(predict):
    with pytest.warns(ClippingWarning) as told:
        predict(Ridge().fit(YEARS, TREND))
    assert [warning.filename for warning in told] == [__file__]


@pytest.mark.parametrize("n_bits", [8, 12])
def test_a_margin_is_for_rows_beyond_those_of_training(n_bits):
    parent = Parent().fit(YEARS, TREND)
    model = LinearRegression(n_bits=n_bits, range_margin=5.0).fit(YEARS, TREND)
    step = 3 * 70 / 2**n_bits
    found = quiet(model.predict, LATER)
    np.testing.assert_allclose(found, parent.predict(LATER), atol=2 * step)
    narrow = LinearRegression(n_bits=n_bits, range_margin=0).fit(YEARS, TREND)
    with pytest.warns(ClippingWarning, match=r"features 0"):
        clipped = narrow.predict(LATER)
    np.testing.assert_allclose(clipped, parent.predict([[2020.0], [2020.0]]), atol=2)


def test_a_margin_does_not_make_the_grid_coarser():
    plain = LinearRegression(range_margin=0).fit(YEARS, TREND)
    wide = LinearRegression(range_margin=7.5).fit(YEARS, TREND)
    (plain,), (wide,) = (m.quantized_module_.input_quantizers for m in (plain, wide))
    assert (plain.n_bits, wide.n_bits) == (8, 12)
    np.testing.assert_allclose(wide.scale, plain.scale, rtol=0.01)


@pytest.mark.simulate
def test_rows_beyond_the_range_simulated():
    model = LinearRegression(range_margin=2).fit(YEARS, TREND)
    with pytest.warns(ClippingWarning):
        simulated = model.predict(LATER, fhe="simulate")
    np.testing.assert_array_equal(simulated, model.predict(LATER))


@pytest.mark.parametrize("wrong", [-0.1, 1001, "wide", None, np.nan])
def test_wrong_margins(wrong):
    with pytest.raises(ValueError, match="'range_margin' parameter of LinearRegression"):
        LinearRegression(range_margin=wrong).fit(YEARS, TREND)


def test_bins_of_trees_lose_nothing_and_are_not_told():
    quiet(DecisionTreeRegressor().fit(YEARS, TREND).predict, LATER)


def test_functions_of_features_are_told_without_names():
    y = (YEARS[:, 0] > 1990).astype(int)
    with pytest.warns(ClippingWarning, match=r"as their ends\. Fit on rows"):
        GaussianNB().fit(YEARS, y).predict(LATER)


@pytest.mark.simulate
def test_networks_tell_it_too():
    X = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    module = compile_torch_model(nn.Linear(2, 1), X)
    quiet(module.forward, X)
    with pytest.warns(ClippingWarning, match=r"features 1\)\. Calibrate on rows"):
        module.forward(np.array([[0.0, 99.0]], np.float32))


@pytest.mark.parametrize("row", [0, 1234, 4999])
@pytest.mark.parametrize("order", ["C", "F"])
def test_one_number_among_many_rows(row, order):
    X = np.random.default_rng(0).normal(size=(200, 3))
    model = LinearRegression().fit(X, X[:, 0])
    rows = np.asarray(np.resize(X, (5000, 3)), order=order)
    model.predict(rows)
    rows[row, 1] = 99
    with pytest.warns(ClippingWarning, match=r"^0\.01% of the numbers .*features 1\)"):
        model.predict(rows)


@pytest.mark.parametrize("n_bits", [3, 6, 8])
def test_tails_that_are_cut_on_purpose_are_not_told(n_bits, breast_cancer):
    X, y = breast_cancer
    model = Ridge(n_bits=n_bits).fit(X, y)
    quiet(model.predict, X)
    rows = X.copy()
    rows[0, 13] = 5 * X[:, 13].max()
    with pytest.warns(ClippingWarning, match="features 13"):
        model.predict(rows)
