"""Missing values and categories, of all estimators that have bins for them.

Each is compared with its parent: fitted on the same bins, and as the twin of a model that
was fitted elsewhere.
"""

import copy

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import ensemble
from sklearn.utils import get_tags

import fhe_estimators as fe
from fhe_estimators.base import parent_of
from fhe_estimators.testing import all_estimators
from tests.test_common import instance

LIBRARIES = {"LGBM": lightgbm, "XGB": xgboost}
TAKES_MISSING = [
    name
    for name, cls in all_estimators()
    if getattr(cls, "_has_bins", False)
    and get_tags(instance(cls)).input_tags.allow_nan
    # Bins of some libraries are their own: tests/catboost and tests/interpret.
    and not {"catboost", "interpret"} & {*cls.__module__.split(".")}
]
CATEGORICAL = [
    f"{kind}{role}"
    for kind in ("HistGradientBoosting", "LGBM", "XGB")
    for role in ("Classifier", "Regressor")
]
N_ROWS = 300
SMALL = {
    "n_estimators": 6,
    "max_iter": 6,
    "max_depth": 4,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 5,
    "min_child_samples": 5,
    "min_data_per_group": 3,
    "cat_smooth": 1.0,
    "max_cat_to_onehot": 2,
    "enable_categorical": True,
    "random_state": 0,
    "verbosity": -1,
}


def small(cls, **parameters):
    model = cls()
    known = set(model.get_params())
    if cls.__name__.startswith("LGBM"):
        known |= {"min_data_per_group", "cat_smooth", "max_cat_to_onehot"}
        if cls.__module__.startswith("lightgbm"):
            known |= {"verbosity"}
    if cls.__name__.startswith("XGB"):
        known -= {"verbosity"}
    chosen = {name: value for name, value in SMALL.items() if name in known}
    return model.set_params(**chosen, **parameters)


def numbers(seed, missing=0.2):
    """Return rows of four numbers, all but the last of which are missing at times."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(N_ROWS, 4)).round(1)
    y = (X[:, 0] + X[:, 1] * X[:, 2] > random.normal(scale=0.1, size=N_ROWS)).astype(int)
    y ^= random.random(N_ROWS) < 0.05
    holes = random.random(X.shape) < missing
    holes[:, 3] = False
    # That it is missing tells something.
    holes[:, 0] |= (y == 1) & (random.random(N_ROWS) < 0.5)
    return np.where(holes, np.nan, X), y


def tables(seed):
    """Return a data frame with labels, some of them missing, and what depends on them."""
    random = np.random.default_rng(seed)
    X, y = numbers(seed)
    frame = pd.DataFrame(X, columns=["a", "b b", "c", "d"])
    text = random.choice(list("stuvwxyz"), N_ROWS)
    whole = random.choice([10, 20, 50, 70, 90], N_ROWS)
    frame.insert(1, "text", pd.Categorical(text))
    frame["whole"] = pd.Categorical(whole)
    frame.loc[random.random(N_ROWS) < 0.1, "text"] = np.nan
    y = y ^ np.isin(text, ["s", "v", "y"]) ^ np.isin(whole, [20, 70])
    return frame, y.astype(int)


def method_of(model):
    methods = "predict_proba", "score_samples", "predict"
    return next(method for method in methods if hasattr(model, method))


def outputs(model, X):
    return np.asarray(getattr(model, method_of(model))(X), float)


def own_of(model):
    """Return the parent's estimator with all that was fitted."""
    parent = parent_of(type(model))
    own = parent()
    for name, value in vars(model).items():
        if name in vars(own) or name.endswith("_") or name.startswith("_"):
            vars(own)[name] = copy.deepcopy(value)
    if parent.__name__.startswith("XGBC"):
        # Its labels are numbers.
        own.n_classes_ = 2
    return own


def assert_near(model, found, expected):
    """Scores are rounded, labels and probabilities move by as much at most."""
    bound = model.quantized_module_.output_quantizers[0].rounding_error_bound.max()
    assert np.abs(found - expected).max() <= bound + 1e-6


# Missing values --------------------------------------------------------------------------


def test_which_estimators_take_missing_values():
    """Those whose parents do, and no other: the tag says so."""
    for name, cls in all_estimators():
        if getattr(cls, "_has_bins", False):
            expected = get_tags(parent_of(cls)()).input_tags.allow_nan
            assert get_tags(instance(cls)).input_tags.allow_nan is expected, name
    assert {"DecisionTreeClassifier", "LGBMRegressor", "XGBClassifier"} <= {*TAKES_MISSING}
    assert "GradientBoostingClassifier" not in TAKES_MISSING


@pytest.mark.parametrize("encoding", ["thermometer", "integer"])
@pytest.mark.parametrize("name", TAKES_MISSING)
def test_missing_values_on_the_bins_of_fit(name, encoding):
    """The fitted model, as the parent has it, predicts the same."""
    X, y = numbers(0)
    model = small(getattr(fe, name), input_encoding=encoding).fit(X, y)
    assert model._with_missing == {0, 1, 2}
    assert_near(model, outputs(model, X), outputs(own_of(model), X))


@pytest.mark.parametrize("name", TAKES_MISSING)
def test_twins_take_missing_values(name):
    X, y = numbers(1)
    cls = getattr(fe, name)
    own = small(parent_of(cls)).fit(X, y)
    if name.startswith(("DecisionTree", "Hist", "XGB")):
        # What was fitted elsewhere does not say which features lacked values.
        with pytest.raises(ValueError, match="pass some as X to from_sklearn_model"):
            cls.from_sklearn_model(own).predict(X)
    twin = cls.from_sklearn_model(own, X)
    rows = np.vstack([X, np.full((1, 4), np.nan)])
    rows[-1, 3] = 0
    assert_near(twin, outputs(twin, rows), outputs(own, rows))
    coarse = cls.from_sklearn_model(own, X, n_bits=3)
    assert_near(coarse, outputs(coarse, rows), outputs(own_of(coarse), rows))


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(TAKES_MISSING),
    st.integers(0, 2**32 - 1),
    st.floats(0, 0.9),
    st.integers(1, 6),
)
def test_any_missing_values(name, seed, missing, n_bits):
    X, y = numbers(seed, missing)
    model = small(getattr(fe, name), n_bits=n_bits).fit(X, y)
    assert_near(model, outputs(model, X), outputs(own_of(model), X))


def test_a_column_without_any_value():
    X, y = numbers(0)
    X[:, 1] = np.nan
    model = fe.DecisionTreeClassifier(max_depth=3).fit(X, y)
    assert_near(model, outputs(model, X), outputs(own_of(model), X))


def test_missing_is_a_number():
    """XGBoost's parameter: it, and nan, are missing; nothing else stands for it."""
    X, y = numbers(2)
    holes = np.isnan(X)
    given = np.where(holes, 0.0, np.where(X == 0, 0.05, X))
    given[0, 0] = np.nan
    model = small(fe.XGBClassifier, missing=0.0).fit(given, y)
    own = own_of(model)
    assert_near(model, outputs(model, given), outputs(own, given))
    other = np.where(given == 0, np.nan, given)
    np.testing.assert_array_equal(outputs(model, given), outputs(model, other))
    twin = fe.XGBClassifier.from_sklearn_model(
        small(xgboost.XGBClassifier, missing=0.0).fit(given, y), given
    )
    np.testing.assert_array_equal(outputs(twin, given), outputs(twin, other))


def test_no_bin_represents_what_is_missing():
    """The middle of a bin may be the number that stands for a missing value."""
    X = np.repeat([-1.0, 1.0, 5.0, 7.0], 50)[:, np.newaxis]
    y = (X[:, 0] > 3).astype(int)
    model = fe.XGBClassifier(n_estimators=2, n_bits=1, missing=0.0, binning="quantile")
    model.fit(X, y)
    assert model.score(X, y) == 1
    assert not model._with_missing


def test_missing_zero_of_lightgbm():
    """Where LightGBM saw no missing value, one counts as zero."""
    X, y = numbers(0, missing=0)
    X[:, 0] = np.nan_to_num(X[:, 0], nan=0.3)
    own = small(lightgbm.LGBMClassifier).fit(X, y)
    rows = X.copy()
    rows[::3, :3] = np.nan
    twin = fe.LGBMClassifier.from_sklearn_model(own, rows)
    assert_near(twin, outputs(twin, rows), outputs(own, rows))


def test_weights_and_evaluation_rows_with_missing_values():
    X, y = numbers(3)
    model = small(fe.LGBMClassifier)
    model.fit(X, y, sample_weight=1.0 + (y == 1), eval_X=X, eval_y=y)
    assert_near(model, outputs(model, X), outputs(own_of(model), X))
    rows = X.copy()
    rows[0, 3] = np.nan
    with pytest.raises(ValueError, match=r"column 3 is incomplete.*no bin for them"):
        small(fe.XGBClassifier).fit(X, y, eval_set=[(rows, y)])


# Categories ------------------------------------------------------------------------------


def parents_of(name):
    library = LIBRARIES.get(name.removesuffix("Classifier").removesuffix("Regressor"))
    return getattr(library or ensemble, name)


@pytest.mark.parametrize("encoding", ["thermometer", "integer"])
@pytest.mark.parametrize("name", CATEGORICAL)
def test_categories_on_the_bins_of_fit(name, encoding):
    X, y = tables(0)
    model = small(getattr(fe, name), input_encoding=encoding).fit(X, y)
    frame = X.rename(columns={"b b": "b_b"}) if name.startswith("LGBM") else X
    assert_near(model, outputs(model, X), outputs(own_of(model), frame))


@pytest.mark.parametrize("name", CATEGORICAL)
def test_twins_with_categories(name):
    X, y = tables(1)
    own = small(parents_of(name)).fit(X, y)
    cls = getattr(fe, name)
    for twin, rows in (
        (cls.from_sklearn_model(own, X), X),
        (cls.from_sklearn_model(own), X.dropna(subset=["a", "b b", "c"])),
    ):
        assert_near(twin, outputs(twin, rows), outputs(own, rows))


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(CATEGORICAL), st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_any_categories(name, seed, n_bits):
    X, y = tables(seed)
    model = small(getattr(fe, name), n_bits=n_bits).fit(X, y)
    frame = X.rename(columns={"b b": "b_b"}) if name.startswith("LGBM") else X
    assert_near(model, outputs(model, X), outputs(own_of(model), frame))


def test_labels_that_fit_has_not_seen():
    """As the parents treat them: missing, other, or an error."""
    X, y = tables(2)
    known, unknown = X.copy(), X.copy()
    unknown["text"] = unknown["text"].astype(object)
    unknown.loc[::2, "text"] = "new"
    known.loc[::2, "text"] = np.nan
    for name in ("HistGradientBoostingClassifier", "LGBMClassifier"):
        model = small(getattr(fe, name)).fit(X, y)
        np.testing.assert_array_equal(outputs(model, unknown), outputs(model, known))
    model = small(fe.XGBClassifier).fit(X, y)
    words = r"Column 'text' of X, of XGBClassifier, holds 'new', a category that it did not"
    with pytest.raises(ValueError, match=words):
        model.predict(unknown)


def test_text_is_read_as_labels():
    """Tables to predict need no category type; tables of numbers are not guessed at."""
    X, y = tables(3)
    for name in CATEGORICAL:
        model = small(getattr(fe, name)).fit(X, y)
        text = X.astype({"text": object, "whole": object})
        np.testing.assert_array_equal(outputs(model, text), outputs(model, X))
        if not name.startswith("Hist"):
            with pytest.raises(ValueError, match=r"'whole'.*astype"):
                model.predict(X.astype({"whole": float}))


#: Parameters with which LightGBM tells rare categories apart.
FINE = {"min_data_per_group": 3, "cat_smooth": 1}


def codes(seed):
    """Return an array whose first column holds numbers of categories."""
    X, y = numbers(seed)
    random = np.random.default_rng(seed)
    kinds = random.choice([0, 2, 3, 7, 11], N_ROWS)
    y = y ^ np.isin(kinds, [2, 11])
    return np.c_[kinds.astype(float), X], y


@pytest.mark.parametrize(
    ("model", "fit"),
    [
        (fe.HistGradientBoostingClassifier(categorical_features=[0]), {}),
        (
            fe.LGBMClassifier(min_data_per_group=3, cat_smooth=1),
            {"categorical_feature": [0]},
        ),
        (fe.LGBMClassifier(cat_feature="0", min_data_per_group=3, cat_smooth=1), {}),
        (
            fe.XGBClassifier(
                feature_types=["c", *"qqqq"], enable_categorical=True, max_cat_to_onehot=1
            ),
            {},
        ),
    ],
    ids=["hist", "lightgbm", "lightgbm_parameter", "xgboost"],
)
def test_numbers_of_categories_in_arrays(model, fit):
    X, y = codes(0)
    model.fit(X, y, **fit)
    own = own_of(model)
    if isinstance(own, xgboost.XGBClassifier):
        own.set_params(feature_types=["c", *"qqqq"], enable_categorical=True)
    rows = X.copy()
    # 5 was never seen; nan is missing.
    rows[::5, 0], rows[1::5, 0] = 5, np.nan
    assert 0 in model._labelled()
    assert_near(model, outputs(model, rows), outputs(own, rows))
    assert model.score(X, y) > 0.8


def test_categories_and_numbers_warm_start():
    X, y = tables(4)
    model = small(fe.HistGradientBoostingClassifier, warm_start=True).fit(X, y)
    model.set_params(max_iter=9).fit(X, y)
    assert_near(model, outputs(model, X), outputs(own_of(model), X))


def test_validation_rows_of_histogram_boosting():
    X, y = tables(5)
    model = small(fe.HistGradientBoostingClassifier, early_stopping=True)
    model.fit(X, y, X_val=X, y_val=y)
    assert_near(model, outputs(model, X), outputs(own_of(model), X))


def test_lightgbm_twin_that_does_not_know_its_columns():
    """Ordered categories are numbers to LightGBM: the file does not say where they are."""
    X, y = tables(6)
    X["text"] = X["text"].cat.as_ordered()
    own = small(lightgbm.LGBMClassifier).fit(X, y)
    with pytest.raises(ValueError, match=r"2 columns of type category.*pass a data frame"):
        fe.LGBMClassifier.from_sklearn_model(own)
    twin = fe.LGBMClassifier.from_sklearn_model(own, X)
    assert_near(twin, outputs(twin, X), outputs(own, X))
    model = small(fe.LGBMClassifier).fit(X, y)
    frame = X.rename(columns={"b b": "b_b"})
    assert_near(model, outputs(model, X), outputs(own_of(model), frame))


# Encrypted -------------------------------------------------------------------------------


@pytest.mark.fhe
@pytest.mark.parametrize("encoding", ["thermometer", "integer"])
@pytest.mark.parametrize(
    "name", ["LGBMClassifier", "XGBRegressor", "DecisionTreeClassifier"]
)
def test_encrypted_is_clear(name, encoding):
    X, y = numbers(0) if name.startswith("Dec") else tables(0)
    few = {"n_estimators": 2} if "LGBM" in name or "XGB" in name else {"max_depth": 3}
    model = small(getattr(fe, name), input_encoding=encoding, n_bits=2)
    model.set_params(**few).fit(X, y)
    method = getattr(model, method_of(model))
    rows = X[:3]
    for fhe in ("simulate", "execute"):
        np.testing.assert_array_equal(method(rows, fhe=fhe), method(rows))
