"""Pipelines: their steps come back as they were, or are refused by name."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    SplineTransformer,
    StandardScaler,
)

from fhe_estimators import LogisticRegression
from fhe_estimators.deployment import FormatError
from fhe_estimators.deployment._preprocessing import load, store
from tests.deployment.deployed import Deployed, iris


def table():
    """Rows with numbers, some missing, and a category."""
    X, y = iris(2)
    rows = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    rows["e"] = np.where(np.arange(len(X)) % 3, "u", "v")
    rows.loc[3, "a"] = np.nan
    return rows, y


@pytest.mark.parametrize(
    "step",
    [
        StandardScaler(),
        SplineTransformer(),
        SelectKBest(k=2),
        FunctionTransformer(np.log1p),
    ],
    ids=lambda step: type(step).__name__,
)
def test_steps_come_back(step):
    X, y = iris()
    step.fit(X, y)
    found = load(store([("step", step), ("nothing", "passthrough")]))
    assert np.array_equal(found.transform(X), step.transform(X))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (FunctionTransformer(lambda x: x), "'odd' of the pipeline, FunctionTransformer"),
        (KNNImputer(), "keeps training rows in a KNNImputer"),
    ],
    ids=["code", "rows"],
)
def test_other_steps_are_refused_by_name(step, message):
    X, _ = iris()
    scaler = StandardScaler().fit(X)
    with pytest.raises(TypeError, match=message):
        store([("scale", scaler), ("odd", step.fit(X))])


def test_foreign_files_are_refused(capsys):
    X, _ = iris()
    code = skops.io.dumps(make_pipeline(FunctionTransformer(lambda x: x)))
    other = skops.io.dumps(LinearRegression().fit(X, X))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(17):
            archive.writestr(str(number), bytes(1 << 24))
    for data in (code, other, bomb.getvalue(), b"PK", b"", skops.io.dumps([1, 2])):
        with pytest.raises(FormatError, match=r"preprocessing\.skops"):
            load(data)
    assert capsys.readouterr().out == ""


@pytest.mark.fhe
def test_a_pipeline_predicts_from_the_raw_table(tmp_path):
    rows, y = table()
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    categories = OneHotEncoder(sparse_output=False)
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")), (categories, ["e"])
    )
    model = make_pipeline(columns, LogisticRegression()).fit(rows, y)
    deployed = Deployed.of(model, tmp_path)
    some = rows.iloc[[0, 3, 99]]
    answer = deployed.answer(some)
    assert np.array_equal(deployed.client.decrypt_predict(answer), model.predict(some))
    found = deployed.client.decrypt_proba(answer)
    assert np.array_equal(found, model.predict_proba(some))
    learned = deployed.manifest.learns["client"]
    assert any("steps of the pipeline" in sentence for sentence in learned)


@pytest.mark.fhe
def test_columns_have_to_be_those_of_the_model(tmp_path):
    X, y = iris(2)
    rows = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    deployed = Deployed.of(LogisticRegression().fit(rows, y), tmp_path)
    with pytest.raises(ValueError, match="feature names"):
        deployed.client.encrypt(rows[["b", "a", "c", "d"]])
    deployed.client.encrypt(rows.iloc[:1])
