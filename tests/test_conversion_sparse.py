"""Pipelines with steps that return sparse rows."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import is_regressor
from sklearn.compose import make_column_transformer
from sklearn.ensemble import IsolationForest, RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import BernoulliNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder
from sklearn.svm import SVC, LinearSVC

import fhe_estimators as fe
from fhe_estimators import convert
from tests.deployment.deployed import Deployed


@pytest.fixture(scope="module")
def table():
    """Three columns, two of them labels, and which rows are good."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "home": random.choice(list("abcdefghij"), 200),
            "kind": random.choice(list("xyz"), 200),
            "size": random.normal(size=200),
        }
    )
    good = (table["home"] < "e") ^ (table["size"] > 0.8)
    return table, good.to_numpy(int)


def prepare():
    labels = OneHotEncoder(handle_unknown="ignore"), ["home", "kind"]
    return make_column_transformer(labels, (MaxAbsScaler(), ["size"]), sparse_threshold=1.0)


@pytest.mark.parametrize(
    "last",
    [
        LogisticRegression(),
        Ridge(),
        LinearSVC(),
        SVC(C=10.0, gamma=0.1),
        BernoulliNB(),
        KNeighborsClassifier(),
        RandomForestClassifier(5, max_depth=3, random_state=0),
        IsolationForest(n_estimators=5, random_state=0),
    ],
    ids=lambda last: type(last).__name__,
)
def test_predicts_what_the_parent_does(table, last):
    X, y = table
    fitted = make_pipeline(prepare(), last).fit(X, y)
    assert sparse.issparse(fitted[0].transform(X))
    model = convert(fitted, X, n_bits=12)
    assert not sparse.issparse(model[:-1].transform(X))
    expected, found = fitted.predict(X), model.predict(X)
    if is_regressor(last):
        np.testing.assert_allclose(found, expected, atol=0.01)
    else:
        assert np.mean(found == expected) >= 0.98


@pytest.mark.parametrize("given", [True, False], ids=["with rows", "without"])
def test_trees_are_the_same(table, given):
    X, y = table
    forest = RandomForestClassifier(5, max_depth=4, random_state=0)
    search = GridSearchCV(
        make_pipeline(prepare(), forest), {"randomforestclassifier__max_depth": [3]}, cv=2
    ).fit(X, y)
    model = convert(search, X if given else None)
    assert list(model.named_steps) == ["columntransformer", "dense", forest_name(model)]
    np.testing.assert_allclose(model.predict_proba(X), search.predict_proba(X), atol=1e-3)
    names = model[:-1].get_feature_names_out()
    np.testing.assert_array_equal(names, model[0].get_feature_names_out())


def forest_name(model):
    assert type(model[-1]) is fe.RandomForestClassifier
    return model.steps[-1][0]


def test_dense_rows_need_no_other_step(table):
    X, y = table
    fitted = make_pipeline(MaxAbsScaler(), LogisticRegression()).fit(X[["size"]], y)
    assert len(convert(fitted, X[["size"]])) == 2


def test_the_step_has_a_name_of_its_own(table):
    X, y = table
    fitted = make_pipeline(prepare(), LogisticRegression()).fit(X, y)
    fitted.steps[0] = ("dense", fitted[0])
    model = convert(fitted, X)
    assert list(model.named_steps) == ["dense", "dense_", "logisticregression"]


def test_words_of_texts():
    texts = ["good day", "bad day", "good good", "bad luck", "luck", "bad bad"] * 3
    fitted = make_pipeline(CountVectorizer(), MultinomialNB()).fit(
        texts, [1, 0, 1, 0, 1, 0] * 3
    )
    model = convert(fitted, texts, n_bits=12)
    np.testing.assert_array_equal(model.predict(texts), fitted.predict(texts))


def test_what_sparse_rows_leave_out_is_missing_to_xgboost(table):
    xgboost = pytest.importorskip("xgboost")
    X, y = table
    last = xgboost.XGBClassifier(n_estimators=5, max_depth=3, n_jobs=1)
    fitted = make_pipeline(prepare(), last).fit(X, y)
    model = convert(fitted, X)
    assert np.isnan(model[:-1].transform(X)).any()
    expected = fitted.predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-3)
    # Zeros would be something else.
    zeros = model[-1].predict_proba(model[0].transform(X).toarray())
    assert np.abs(zeros - expected).max() > 0.1


def test_sparse_steps_of_members_of_a_vote(table):
    X, y = table
    X = X[["size"]].round().to_numpy()
    encoded = make_pipeline(OneHotEncoder(), LogisticRegression())
    fitted = VotingClassifier([("encoded", encoded), ("plain", LogisticRegression())])
    fitted.fit(X, y)
    np.testing.assert_array_equal(convert(fitted, X).predict(X), fitted.predict(X))


@pytest.mark.fhe
def test_encrypted_and_deployed(table, tmp_path):
    X, y = table
    model = convert(make_pipeline(prepare(), LogisticRegression()).fit(X, y), X)
    some = X.iloc[:3]
    np.testing.assert_array_equal(model.predict(some, fhe="execute"), model.predict(some))
    deployed = Deployed.of(model, tmp_path)
    found = deployed.client.decrypt_predict(deployed.answer(some))
    np.testing.assert_array_equal(found, model.predict(some))
