"""Predictions in floating point, quantized, simulated and encrypted, compared."""

import numpy as np
import pytest
from sklearn import linear_model
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fhe_estimators import (
    DecisionTreeClassifier,
    LinearRegression,
    LogisticRegression,
)
from fhe_estimators.inspection import agreement
from fhe_estimators.quantization import QuantizedModule


def test_a_coarse_model_disagrees_with_its_parent(breast_cancer):
    X, y = breast_cancer
    coarse = make_pipeline(StandardScaler(), LogisticRegression(n_bits=2)).fit(X, y)
    parent = make_pipeline(StandardScaler(), linear_model.LogisticRegression()).fit(X, y)
    found = {of.mode: of for of in agreement(coarse, X, y, reference=parent)}
    assert list(found) == ["reference", "disable", "simulate"]
    different = int((parent.predict(X) != coarse.predict(X)).sum())
    assert found["reference"].n_different == different > 0
    assert found["reference"].score == parent.score(X, y)
    assert found["disable"].score == coarse.score(X, y)
    assert found["simulate"].n_different == found["disable"].n_different == 0
    share = 1 - different / len(X)
    assert found["reference"].equal_from < share < found["reference"].equal_to < 1


def test_the_parent_is_the_model_in_floating_point(breast_cancer):
    X, y = breast_cancer
    model = make_pipeline(StandardScaler(), LogisticRegression(n_bits=2))
    search = GridSearchCV(model, {"logisticregression__C": [1.0]}, cv=2).fit(X, y)
    parent = make_pipeline(StandardScaler(), linear_model.LogisticRegression()).fit(X, y)
    options = {"simulate": False}
    for fitted in (search, search.best_estimator_):
        found = agreement(fitted, X, y, reference="parent", **options)
        assert found == agreement(fitted, X, y, reference=parent, **options)
    with pytest.raises(ValueError, match=r"'reference' must be .*; got 'float'"):
        agreement(search, X, reference="float")


@pytest.mark.fhe
def test_encrypted_rows_of_a_regressor(diabetes):
    X, y = diabetes
    model = LinearRegression().fit(X, y)
    parent = linear_model.LinearRegression().fit(X, y)
    found = agreement(model, X, y, reference=parent, simulate=False, n_encrypted=3)
    reference, _, encrypted = found
    assert reference.largest_difference == pytest.approx(
        np.abs(parent.predict(X) - model.predict(X)).max()
    )
    assert (encrypted.n_rows, encrypted.n_different) == (3, 0)
    assert encrypted.largest_difference == 0


def test_it_prints_and_is_a_frame(breast_cancer):
    X, y = breast_cancer
    found = agreement(DecisionTreeClassifier(max_depth=2).fit(X, y), X)
    assert str(found).splitlines()[1].split()[:3] == ["disable", "569", "nan"]
    assert found._repr_html_().count("<tr>") == 3
    frame = found.to_frame()
    assert frame.loc["simulate", "n_different"] == 0
    assert frame["score"].isna().all()


def test_what_cannot_be_compared(breast_cancer):
    X, y = breast_cancer
    with pytest.raises(TypeError, match=r"got LogisticRegression\..*from_sklearn_model"):
        agreement(linear_model.LogisticRegression().fit(X[:, :1], y), X[:, :1])
    model = DecisionTreeClassifier(max_depth=2).fit(X, y)
    assert isinstance(model.quantized_module, QuantizedModule)
    with pytest.raises(TypeError, match="got QuantizedModule"):
        agreement(model.quantized_module, X)
    with pytest.raises(ValueError, match="n_encrypted == 570, must be <= 569"):
        agreement(model, X, n_encrypted=570)
    with pytest.raises(AttributeError):
        agreement(DecisionTreeClassifier(), X)
