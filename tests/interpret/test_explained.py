"""What each term adds for rows that are encrypted, beside interpret's own explanations."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

pytest.importorskip("interpret")

from fhe_estimators import (
    DecisionTreeClassifier,
    ExplainableBoostingClassifier,
    ExplainableBoostingRegressor,
    config_context,
)
from fhe_estimators.deployment import save_deployment
from tests.deployment.deployed import Deployed

SMALL = {"n_jobs": 1, "outer_bags": 2, "max_rounds": 15, "n_bits": 2, "p_error": 2**-20}


def table(seed, n_rows=60):
    """Return a table with categories and missing numbers, and labels of three classes."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "a": rng.normal(size=n_rows),
            "b": rng.integers(0, 5, n_rows).astype(float),
            "c": pd.Categorical(rng.choice(["x", "y", "z"], n_rows)),
        }
    )
    y = (X["a"].to_numpy() > 0).astype(int) + (X["c"] == "x").to_numpy(int)
    X.loc[::7, "a"] = np.nan
    return X, y


@settings(deadline=None, max_examples=4)
@given(st.integers(0, 10**6), st.sampled_from(["two", "three", "number"]), st.booleans())
def test_terms_in_integers_are_those_of_the_library(seed, target, pairs):
    X, y = table(seed)
    cls = ExplainableBoostingRegressor if target == "number" else None
    cls = cls or ExplainableBoostingClassifier
    model = cls(interactions=int(pairs), **SMALL)
    model.fit(X, y if target == "three" else y > 0 if target == "two" else y + X["b"])
    own, found = model.eval_terms(X), model.eval_terms(X, fhe="disable")
    assert found.shape == own.shape
    np.testing.assert_allclose(found, own, atol=1e-3 * np.ptp(own))
    sums = found.sum(axis=1) + model.intercept_
    scores = model.predict(X) if target == "number" else model.decision_function(X)
    np.testing.assert_allclose(sums, scores, atol=1e-2 * np.ptp(scores))


def test_explanations_have_the_terms_and_their_sum():
    X, y = table(0)
    for cls, right in (
        (ExplainableBoostingClassifier, y),
        (ExplainableBoostingClassifier, y > 0),
        (ExplainableBoostingRegressor, y.astype(float)),
    ):
        model = cls(**SMALL).fit(X, right)
        own = model.explain_local(X[:4], right[:4])
        found = model.explain_local(X[:4], right[:4], name="mine", fhe="disable")
        assert found.name == "mine"
        terms = model.eval_terms(X[:4], fhe="disable")
        for place in range(4):
            of, other = found.data(place), own.data(place)
            np.testing.assert_array_equal(of["scores"], terms[place])
            np.testing.assert_allclose(of["scores"], other["scores"], atol=1e-3)
            assert (of["names"], of["extra"]) == (other["names"], other["extra"])
            for name, value in other["perf"].items():
                assert of["perf"][name] == pytest.approx(value, abs=1e-3)
        pd.testing.assert_frame_equal(found.selector, own.selector, atol=2e-3)


def test_they_follow_the_model():
    X, y = table(1)
    model = ExplainableBoostingClassifier(**SMALL).fit(X, y > 0)
    before = model.eval_terms(X, fhe="disable")
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.eval_terms(X, fhe="disable"), before)
    model.term_scores_[0] = 2 * model.term_scores_[0]
    changed = model.eval_terms(X, fhe="disable")
    np.testing.assert_allclose(changed[:, 0], 2 * before[:, 0], atol=1e-3)
    model.fit(X, y < 1)
    np.testing.assert_allclose(
        model.eval_terms(X, fhe="disable"), model.eval_terms(X), atol=1e-3
    )
    assert not hasattr(clone(model), "term_scores_")


def test_what_is_refused():
    X, y = table(2)
    model = ExplainableBoostingClassifier(**SMALL).fit(X, y > 0)
    with pytest.raises(ValueError, match="'init_score'"):
        model.explain_local(X, init_score=np.zeros(len(X)), fhe="disable")
    with pytest.raises(ValueError, match="'fhe' must be one of"):
        model.eval_terms(X, fhe="clear")
    none = ExplainableBoostingClassifier(exclude="mains", **SMALL).fit(X, y > 0)
    with pytest.raises(ValueError, match="has no terms"):
        none.eval_terms(X, fhe="disable")


@pytest.mark.fhe
def test_encrypted_terms_are_the_clear_ones():
    X, y = table(3)
    model = ExplainableBoostingClassifier(interactions=[("a", "c")], **SMALL)
    model.fit(X, y > 0)
    rows = X[:3]
    clear = model.eval_terms(rows, fhe="disable")
    np.testing.assert_array_equal(model.eval_terms(rows, fhe="simulate"), clear)
    with config_context(fhe="execute"):
        found = model.explain_local(rows)
    np.testing.assert_array_equal([found.data(at)["scores"] for at in range(3)], clear)
    # Keys are those of the circuit of terms; the one of predictions has none yet.
    assert not model.quantized_module_.is_compiled
    loaded = pickle.loads(pickle.dumps(model))
    assert not loaded._explained().fhe_circuit.has_keys


@pytest.mark.fhe
@pytest.mark.parametrize("n_classes", [pytest.param(2, marks=pytest.mark.nightly), 3])
def test_clients_of_a_deployment_have_the_terms(n_classes, tmp_path):
    X, y = table(3)
    model = ExplainableBoostingClassifier(interactions=0, **SMALL)
    model.fit(X, y > 0 if n_classes == 2 else y)
    deployed = Deployed.of(make_pipeline("passthrough", model), tmp_path, explained=True)
    answer = deployed.answer(X[:2])
    found = deployed.client.decrypt_terms(answer)
    np.testing.assert_array_equal(found, model.eval_terms(X[:2], fhe="disable"))
    assert found.shape == (2, len(model.term_features_), 3)[: 2 + (n_classes > 2)]
    with pytest.raises(AttributeError, match="has no predict; it has eval_terms"):
        deployed.client.decrypt_predict(answer)
    assert "What each term adds" in deployed.manifest.learns["client"][0]


def test_terms_are_deployed_of_what_has_some(tmp_path):
    X, y = table(3)
    tree = DecisionTreeClassifier(max_depth=1).fit(np.eye(3), [0, 1, 1])
    with pytest.raises(TypeError, match="explained=True is for explainable"):
        save_deployment(tree, tmp_path, explained=True)
    none = ExplainableBoostingClassifier(exclude="mains", interactions=0, **SMALL)
    with pytest.raises(ValueError, match="has no terms"):
        save_deployment(none.fit(X, y > 0), tmp_path, explained=True)
