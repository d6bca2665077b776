"""Columns that are not numbers: errors name estimator, columns and cure."""

from inspect import signature

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import is_classifier
from sklearn.utils import get_tags

import fhe_estimators as fe
from fhe_estimators._columns import explain_columns
from fhe_estimators.testing import all_estimators
from tests.test_common import instance

CLASSES = dict(all_estimators())
BOOSTERS = ("LGBMClassifier", "LGBMRegressor", "XGBClassifier", "XGBRegressor")

N_ROWS = 40
RANDOM = np.random.default_rng(0)
CODES = RANDOM.integers(0, 4, N_ROWS)
SIZES = RANDOM.normal(size=N_ROWS) + 5
TARGET = (CODES % 2) + 1
NUMBERS = pd.DataFrame({"code": CODES.astype(float), "size": SIZES})


def small(name, **parameters):
    model = instance(CLASSES[name])
    few = {"n_estimators": 2, "max_epochs": 2, "net__max_epochs": 2, **parameters}
    known = model.get_params()
    return model.set_params(**{key: few[key] for key in few if key in known})


def fitted(name):
    model = small(name)
    target = TARGET if is_classifier(model) else TARGET.astype(float)
    return model.fit(NUMBERS, target)


# Categories ------------------------------------------------------------------------------


def categorical_frames():
    text = pl.Series("code", CODES.astype(str))
    return {
        "integers": pd.DataFrame({"code": pd.Categorical(CODES), "size": SIZES}),
        "strings": pd.DataFrame({"code": pd.Categorical(list("abcd") * 10), "size": SIZES}),
        "polars": pl.DataFrame({"code": text.cast(pl.Categorical), "size": SIZES}),
        "enum": pl.DataFrame({"code": text.cast(pl.Enum(list("0123"))), "size": SIZES}),
    }


each_frame = pytest.mark.parametrize("kind", list(categorical_frames()))
REFUSED = r"{} compares.*column 'code' is categorical.*OneHotEncoder"


@each_frame
@pytest.mark.parametrize("name", ["XGBClassifier", "XGBRegressor"])
def test_categorical_columns_that_are_not_enabled(name, kind):
    with pytest.raises(
        ValueError, match=REFUSED.format(name) + ".*enable_categorical=True"
    ):
        small(name).fit(categorical_frames()[kind], TARGET - 1)


@pytest.mark.parametrize("kind", ["polars", "enum"])
@pytest.mark.parametrize("name", [*BOOSTERS, "HistGradientBoostingClassifier"])
def test_frames_of_others(name, kind):
    """Their categories are not read: the error says what to convert to."""
    model = small(name, enable_categorical=True)
    words = rf"{name} takes categories.*pandas.*polars.DataFrame.*'code'.*to_pandas"
    with pytest.raises(ValueError, match=words):
        model.fit(categorical_frames()[kind], TARGET - 1)


@each_frame
@pytest.mark.parametrize("name", BOOSTERS)
def test_categorical_columns_after_fit(name, kind):
    frame, model = categorical_frames()[kind], fitted(name)
    with pytest.raises(ValueError, match=REFUSED.format(name)):
        model.predict(frame)
    words = REFUSED.format(name) + "|takes categories from data frames of pandas"
    with pytest.raises(ValueError, match=words):
        type(model).from_sklearn_model(model, frame)
    with pytest.raises(ValueError, match=REFUSED.format(name)):
        small(name).fit(NUMBERS, TARGET - 1, eval_set=[(frame, TARGET - 1)])


@pytest.mark.parametrize("types", [["c", "q"], ["c", "c"]])
def test_features_that_are_called_categorical(types):
    with pytest.raises(ValueError, match=r"'code'.* categorical.*OneHotEncoder"):
        fe.XGBClassifier(feature_types=types).fit(NUMBERS, TARGET - 1)


def test_numbers_by_another_name():
    """Types that are not categorical, and empty lists, refuse nothing."""
    fe.XGBClassifier(n_estimators=2, feature_types=["int", "q"]).fit(NUMBERS, TARGET - 1)
    for empty in ("auto", [], None):
        model = fe.LGBMClassifier(n_estimators=2)
        model.fit(NUMBERS, TARGET, categorical_feature=empty)


@pytest.mark.parametrize("name", ["Ridge", "DecisionTreeRegressor"])
def test_categories_that_scikit_learn_takes_as_numbers(name):
    """It has no categories there: the parent's meaning stays."""
    frame = categorical_frames()["integers"]
    found = getattr(fe, name)().fit(frame, TARGET).predict(frame)
    expected = getattr(fe, name)().fit(NUMBERS, TARGET).predict(NUMBERS)
    np.testing.assert_array_equal(found, expected)


# Missing values --------------------------------------------------------------------------


def incomplete():
    """Return tables with a missing value, and how their first column is called."""
    numbers = NUMBERS.copy()
    numbers.loc[3, "code"] = np.nan
    objects = NUMBERS.astype(object)
    objects.loc[3, "code"] = pd.NA
    nullable = NUMBERS.astype({"code": "Int64"})
    nullable.loc[3, "code"] = pd.NA
    return {
        "float": (numbers, "'code'"),
        "object": (objects, "'code'"),
        "nullable": (nullable, "'code'"),
        "polars": (pl.from_pandas(numbers), "'code'"),
        "array": (numbers.to_numpy(), "0"),
        "lists": ([[None, 1.0], *numbers.to_numpy().tolist()[1:]], "0"),
    }


@pytest.mark.parametrize("name", list(CLASSES))
def test_missing_values(name):
    """Those that take none at `fit`, or that saw none, do not say that another one does."""
    table, column = incomplete()["float"]
    words = rf"Input X contains NaN: column {column} is incomplete\. {name} .*SimpleImputer"
    if not get_tags(small(name)).input_tags.allow_nan:
        with pytest.raises(ValueError, match=words) as caught:
            small(name).fit(table, TARGET)
        assert "sklearn.ensemble" not in str(caught.value)
    model = fitted(name)
    for method in ("predict", "predict_proba", "decision_function", "score_samples"):
        # That of PCA is the parent's own, in clear.
        if "fhe" in signature(getattr(model, method, print)).parameters:
            with pytest.raises(ValueError, match=words):
                getattr(model, method)(table)


@pytest.mark.parametrize("kind", list(incomplete()))
@pytest.mark.parametrize("name", ["Ridge", "RandomForestRegressor", "LGBMRegressor"])
def test_tables_with_missing_values(name, kind):
    table, column = incomplete()[kind]
    words = rf"NaN: column {column} is incomplete"
    if name == "Ridge" or kind == "object":
        cure = ".*SimpleImputer" if name == "Ridge" else r".*X\.astype\(float\)"
        with pytest.raises(ValueError, match=words + cure):
            small(name).fit(table, TARGET)
        return
    model = small(name).fit(table, TARGET)
    assert np.isfinite(model.predict(table)).all()
    complete = NUMBERS if hasattr(table, "columns") else NUMBERS.to_numpy()
    with pytest.raises(ValueError, match=words):
        small(name).fit(complete, TARGET).predict(table)


def test_rows_to_evaluate_with_missing_values():
    table, _ = incomplete()["float"]
    for name in BOOSTERS:
        with pytest.raises(ValueError, match="column 'code' is incomplete"):
            small(name).fit(NUMBERS, TARGET - 1, eval_set=[(table, TARGET - 1)])


def test_missing_targets_are_no_missing_features():
    """What is wrong elsewhere keeps scikit-learn's words."""
    table, _ = incomplete()["float"]
    with pytest.raises(ValueError, match=r"^Input y contains NaN"):
        fe.Ridge().fit(NUMBERS, table["code"])
    with pytest.raises(ValueError, match="feature names should match"):
        fitted("Ridge").predict(table.rename(columns={"code": "other"}))
    with pytest.raises(ValueError, match="infinity"):
        fe.Ridge().fit(NUMBERS + np.inf, TARGET)
    with (
        pytest.raises(ValueError, match=r"^Input contains NaN$"),
        explain_columns(fe.Ridge(), [[1.0]]),
    ):
        raise ValueError("Input contains NaN")


def test_many_columns():
    frame = pd.DataFrame(np.full((5, 13), np.nan))
    with pytest.raises(ValueError, match=r"columns 0, 1, .*9 and 3 more are incomplete"):
        fe.Ridge().fit(frame, np.arange(5))


# Text ------------------------------------------------------------------------------------


def texts():
    frame = pd.DataFrame({"city": ["Oslo", "Rome"] * 20, "size": SIZES})
    return {
        "object": (frame.astype({"city": object}), "'city'"),
        "string": (frame.astype({"city": "string"}), "'city'"),
        "category": (frame.astype({"city": "category"}), "'city'"),
        "polars": (pl.DataFrame({name: frame[name].tolist() for name in frame}), "'city'"),
        "array": (frame.to_numpy(), "0"),
        "characters": (frame.to_numpy().astype(str), "0"),
    }


@pytest.mark.parametrize("kind", list(texts()))
@pytest.mark.parametrize("name", ["LogisticRegression", "DecisionTreeClassifier"])
def test_text(name, kind):
    table, column = texts()[kind]
    words = rf"could not convert string to float: column {column} is text\. {name} "
    with pytest.raises(ValueError, match=words + ".*OneHotEncoder"):
        small(name).fit(table, TARGET)


def test_numbers_as_text_are_numbers():
    found = fe.Ridge().fit(NUMBERS.astype(str), TARGET).coef_
    np.testing.assert_allclose(found, fe.Ridge().fit(NUMBERS, TARGET).coef_)


# Names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BOOSTERS)
@pytest.mark.parametrize("names", [["größe", "年齢"], ["😀", "\u2028"]], ids=str)
def test_names_beyond_ascii(name, names):
    frame = NUMBERS.set_axis(names, axis=1)
    model = small(name).fit(frame, TARGET - 1)
    assert list(model.feature_names_in_) == names
    expected = small(name).fit(NUMBERS, TARGET - 1).predict(NUMBERS)
    np.testing.assert_array_equal(model.predict(frame), expected)


@pytest.mark.parametrize("names", [['a"b', "c\\d"], ["\x01", "{},:"]], ids=str)
def test_xgboost_names_that_json_escapes(names):
    frame = NUMBERS.set_axis(names, axis=1)
    model = small("XGBRegressor").fit(frame, TARGET)
    assert list(model.feature_names_in_) == names
    assert model.score(frame, TARGET) > 0
