"""CatBoost: trees, bins, links and refusals, against its own predictions."""

import copy

import catboost
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhe_estimators import CatBoostClassifier, CatBoostRegressor, config_context
from fhe_estimators.deployment._exported import Exported
from tests.boosters import FINE, assert_same, library_of, one_thread, split

__all__ = ["one_thread"]  # a fixture

#: The library's own models are as quiet as ours, and write no files.
QUIET = {"logging_level": "Silent", "allow_writing_files": False, "thread_count": 1}
REGRESSIONS = [
    "RMSE",
    "MAE",
    "Quantile:alpha=0.7",
    "LogLinQuantile",
    "MAPE",
    "Lq:q=3",
    "Huber:delta=0.1",
    "Expectile:alpha=0.3",
    "LogCosh",
    "RMSPE",
    "Poisson",
    "Tweedie:variance_power=1.5",
    None,
]


def of_library(cls, **options):
    parent = {CatBoostClassifier: catboost.CatBoostClassifier}.get(
        cls, catboost.CatBoostRegressor
    )
    return parent(**{"iterations": 12, **QUIET, **options})


def assert_twin(cls, own, rows):
    """All that a twin predicts is what the library does; labels exactly."""
    twin = cls.from_sklearn_model(own)
    raw = own.predict(rows, prediction_type="RawFormulaVal")
    found = twin.predict(rows, prediction_type="RawFormulaVal")
    assert found.shape == raw.shape
    assert np.corrcoef(found.ravel(), raw.ravel())[0, 1] > 0.9999
    expected = own.predict(rows)
    if cls is CatBoostClassifier:
        labels = twin.predict(rows)
        np.testing.assert_array_equal(labels, expected.reshape(labels.shape))
        assert labels.dtype == expected.dtype
        for method in ("predict_proba", "predict_log_proba"):
            # Leaves are rounded to 1/4096 of what scores differ by.
            found, wanted = getattr(twin, method)(rows), getattr(own, method)(rows)
            np.testing.assert_allclose(found, wanted, atol=1e-2)
    else:
        assert_same(twin.predict(rows), expected)
    return twin


# Losses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", REGRESSIONS)
def test_regression_losses(fractions, loss):
    X, y = fractions
    y = y + 1.0
    own = of_library(CatBoostRegressor, loss_function=loss).fit(X, y)
    assert_twin(CatBoostRegressor, own, X)
    model = CatBoostRegressor(8, loss_function=loss, n_bits=FINE).fit(X, y)
    assert_same(model.predict(X), library_of(model).predict(X))
    if loss and loss.startswith(("Poisson", "Tweedie")):
        raw = model.predict(X, "RawFormulaVal")
        np.testing.assert_allclose(model.predict(X), np.exp(raw))
        np.testing.assert_array_equal(model.predict(X, "Exponent"), model.predict(X))


@pytest.mark.parametrize(
    ("loss", "n_classes"),
    [
        ("Logloss", 2),
        ("CrossEntropy", 2),
        ("Focal:focal_alpha=0.3;focal_gamma=2", 2),
        ("MultiClass", 3),
        ("MultiClassOneVsAll", 3),
        (None, 2),
        (None, 3),
    ],
)
def test_classification_losses(wine, loss, n_classes):
    X, X_test, y, _ = split(wine)
    y = np.minimum(y, n_classes - 1)
    own = of_library(CatBoostClassifier, loss_function=loss).fit(X, y)
    assert_twin(CatBoostClassifier, own, X_test)


def test_several_labels_and_several_targets(wine, diabetes):
    X, y = wine
    labels = np.c_[y > 0, X[:, 0] > 13].astype(int)
    model = CatBoostClassifier(8, loss_function="MultiLogloss").fit(X, labels)
    assert np.mean(model.predict(X) == labels) > 0.9
    assert_twin(CatBoostClassifier, library_of(model), X)
    X, y = diabetes
    model = CatBoostRegressor(8, loss_function="MultiRMSE").fit(X, np.c_[y, -y])
    assert model.predict(X).shape == (len(X), 2)
    assert_twin(CatBoostRegressor, library_of(model), X)


@pytest.mark.parametrize("labels", [["a", "b", "c"], [3.0, -2.0, 7.0], [5, -1, 2]])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_labels_of_any_type(wine, labels, n_classes):
    X, y = wine
    y = np.array(labels)[np.minimum(y, n_classes - 1)]
    model = CatBoostClassifier(8).fit(X, y)
    assert model.score(X, y) > 0.9
    own = library_of(model).predict(X)
    np.testing.assert_array_equal(model.predict(X), own.ravel())
    Exported.of(model)  # clients know what it makes of raw scores


def test_threshold_of_probabilities(wine):
    X, y = wine
    own = of_library(CatBoostClassifier).fit(X, y > 0)
    own.set_probability_threshold(0.9)
    twin = assert_twin(CatBoostClassifier, own, X)
    assert not np.array_equal(twin.predict(X), twin.predict_proba(X)[:, 1] > 0.5)
    Exported.of(twin)


# Trees -----------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["SymmetricTree", "Depthwise", "Lossguide"])
@pytest.mark.parametrize("cls", [CatBoostClassifier, CatBoostRegressor])
def test_twins_of_all_trees(wine, diabetes, cls, policy):
    data = wine if cls is CatBoostClassifier else diabetes
    X, X_test, y, _ = split(data)
    own = of_library(cls, grow_policy=policy, depth=5).fit(X, y)
    assert_twin(cls, own, X_test)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 10**6),
    st.integers(1, 6),
    st.integers(1, 4),
    st.sampled_from([1, 3, 254]),
)
def test_random_twins(seed, depth, n_features, border_count):
    random = np.random.default_rng(seed)
    X = random.normal(size=(60, n_features)).round(random.integers(0, 3))
    X[0], X[1] = -9.0, 9.0  # not constant
    y = random.normal(size=60)
    own = of_library(
        CatBoostRegressor, iterations=3, depth=depth, border_count=border_count
    )
    own.fit(X, y)
    twin = CatBoostRegressor.from_sklearn_model(own)
    rows = np.float32(random.normal(size=(200, n_features)))
    borders = [b for of in own.get_borders().values() for b in of] or [0.0]
    rows[:100] = random.choice(np.float32(borders), (100, n_features))  # ties
    rows[50:100] = np.nextafter(rows[50:100], np.float32(np.inf))
    assert_same(twin.predict(rows), own.predict(rows))


def n_tables(model):
    """Return how many tables of how many bits a model takes."""
    circuit = model.compile()
    return circuit.programmable_bootstrap_count, circuit


@pytest.mark.simulate
def test_a_symmetric_tree_is_one_table(wine):
    X, y = wine
    model = CatBoostClassifier(20).fit(X, y > 0)
    count, circuit = n_tables(model)
    assert count <= 20
    (tables,) = (node for node in circuit.graph if node.op == "TableLookup")
    assert circuit.graph.constants[tables.inputs[1]].shape[0] == 16
    np.testing.assert_array_equal(model.predict(X, fhe="simulate"), model.predict(X))
    stumps = CatBoostClassifier(20, depth=1).fit(X, y > 0)
    assert n_tables(stumps)[0] == 0


def test_bins_are_its_own_borders(wine):
    X, y = wine
    for n_bits in (2, 3):
        model = CatBoostClassifier(30, n_bits=n_bits).fit(X, y)
        counts = [len(borders) for borders in model.get_borders().values()]
        assert 1 < max(counts) <= 2**n_bits - 1
        assert model.quantize_input(X).shape[1] == sum(counts)
        own = of_library(
            CatBoostClassifier, iterations=30, depth=4, border_count=2**n_bits - 1
        ).fit(X, y)
        np.testing.assert_array_equal(model.predict(X), own.predict(X).ravel())
    given_count = CatBoostClassifier(30, n_bits=2, max_bin=9).fit(X, y)
    assert max(map(len, given_count.get_borders().values())) > 3
    uniform = CatBoostClassifier(30, binning="uniform").fit(X, y)
    assert uniform.get_all_params()["feature_border_type"] == "Uniform"
    assert model.get_all_params()["feature_border_type"] == "GreedyLogSum"


def test_coarse_twins(wine):
    """Borders move: all methods see the bins only."""
    X, X_test, y, _ = split(wine)
    own = of_library(CatBoostClassifier, iterations=30).fit(X, y)
    coarse = CatBoostClassifier.from_sklearn_model(own, X, n_bits=2)
    assert max(map(len, coarse.get_borders().values())) <= 3
    assert np.mean(coarse.predict(X_test) == own.predict(X_test).ravel()) > 0.9
    rounded = coarse.predict_proba(X_test)
    np.testing.assert_allclose(library_of(coarse).predict_proba(X_test), rounded, atol=0.02)


# Refusals --------------------------------------------------------------------------------


def table(**columns):
    return pd.DataFrame({"size": np.arange(40.0), **columns})


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (CatBoostRegressor(loss_function="RMSEWithUncertainty"), "'loss_function'.*'RMSE'"),
        (CatBoostRegressor(objective="SurvivalAft"), "'loss_function'.*'RMSE'"),
        (CatBoostRegressor(loss_function=object()), "'loss_function'.*'RMSE'"),
        (CatBoostClassifier(loss_function="RMSE"), "'loss_function'.*'Logloss'"),
        (CatBoostRegressor(cat_features=["length"]), "'cat_features'.*'size'.*'length'"),
        (CatBoostRegressor(cat_features=[1]), "'cat_features'.*got 1"),
        (CatBoostRegressor(text_features=["size"]), "'text_features'"),
        (CatBoostRegressor(binning="best"), "'binning'.*'quantile'"),
        (CatBoostRegressor(max_depth=3, depth=5), "depth"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_refusals(model, words):
    rows = table()
    with pytest.raises(ValueError, match=words):
        model.fit(rows, np.arange(40) % 2)


def test_columns_of_texts_are_refused_unless_they_are_called_categories():
    y = np.arange(40.0)
    kinds = pd.Series(["a", "b"] * 20)
    for rows in (table(kind=kinds), table(kind=kinds.astype("category"))):
        with pytest.raises(ValueError, match=r"CatBoostRegressor.*|'kind'.*Encoder"):
            CatBoostRegressor(2).fit(rows, y)


@pytest.mark.parametrize("mode", ["Min", "Max", None])
def test_missing_values(wine, mode):
    """They have a bin of their own, below all numbers or above them."""
    X, y = wine
    holes = np.random.default_rng(0).random(X.shape) < 0.2
    holes[:, 3] = False
    X = np.where(holes, np.nan, X)
    own = of_library(CatBoostClassifier, nan_mode=mode).fit(X, y)
    assert_twin(CatBoostClassifier, own, X)
    model = CatBoostClassifier(8, nan_mode=mode, n_bits=FINE).fit(X, y)
    expected = library_of(model).predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-3)
    Exported.of(model)
    model.set_leaf_values(-model.get_leaf_values())  # it is lowered again
    # The library's own class goes on with leaves that it has predicted with: not a copy.
    expected = library_of(copy.deepcopy(model)).predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-2)
    X[0, 3] = np.nan
    with pytest.raises(ValueError, match=r"NaN.*column 3 .*without missing values"):
        model.predict(X)
    with pytest.raises(ValueError, match="NaN"):
        CatBoostClassifier(2, nan_mode="Forbidden").fit(X, y)


@pytest.mark.simulate
def test_missing_values_simulated(wine):
    X, y = wine
    X = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    for encoding in ("thermometer", "integer"):
        model = CatBoostClassifier(4, depth=3, input_encoding=encoding).fit(X, y > 0)
        np.testing.assert_array_equal(model.predict(X, fhe="simulate"), model.predict(X))


def test_arguments_of_predict(wine):
    X, y = wine
    model = CatBoostClassifier(4).fit(X, y)
    np.testing.assert_array_equal(model.predict(X, "Class", 0, 4), model.predict(X))
    np.testing.assert_array_equal(model.predict(X, "Probability"), model.predict_proba(X))
    for options, words in (
        ({"ntree_start": 1}, "'ntree_start'"),
        ({"ntree_end": 2}, "'ntree_end'"),
        ({"prediction_type": "Exponent"}, "'prediction_type'.*'Class'"),
    ):
        with pytest.raises(ValueError, match=words):
            model.predict(X, **options)


@pytest.mark.fhe
@pytest.mark.parametrize("cls", [CatBoostClassifier, CatBoostRegressor])
def test_encrypted(wine, cls):
    X, y = wine
    model = cls(2, depth=2, n_bits=2, p_error=2**-40).fit(X, y)
    with config_context(fhe="execute"):
        found = model.predict(X[:3])
    np.testing.assert_array_equal(found, model.predict(X[:3]))
