"""Explainable boosting machines: terms, bins, links and labels, against the library's."""

import warnings
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interpret import glassbox
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fhe_estimators import (
    ExplainableBoostingClassifier,
    ExplainableBoostingRegressor,
    config_context,
)
from fhe_estimators.deployment._exported import Exported
from tests.boosters import library_of
from tests.deployment.deployed import Deployed

SMALL = {"outer_bags": 1, "max_rounds": 100, "n_jobs": 1}
#: Of the same kind as a case that always runs.
AT_NIGHT = partial(pytest.param, marks=pytest.mark.nightly)
TYPES = [None, None, "nominal", None, None]


def small(cls, **options):
    return cls(**SMALL, **options)


def of_library(cls, **options):
    """Return the library's own estimator, whose bins are few."""
    parent = getattr(glassbox, cls.__name__)
    return parent(**{**SMALL, "max_bins": 16, "max_interaction_bins": 6, **options})


def table(seed, n_rows=120):
    """Return numbers with holes, texts, numbers that are labels, truths, and categories."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": random.normal(size=n_rows).round(2),
            "colour": random.choice(np.array(["red", "green", "blue"], object), n_rows),
            "grade": random.choice([1.0, 2.5, 30.0], n_rows),
            "old": random.choice([True, False], n_rows),
            "kind": pd.Categorical(random.choice(["u", "v", "w"], n_rows), ordered=True),
        }
    )
    for column in ("size", "colour"):
        frame.loc[random.random(n_rows) < 0.1, column] = None
    return frame


def target(frame, n_classes):
    """Return labels, or numbers if there are no classes, that all columns tell."""
    total = (
        frame["size"].fillna(1.0)
        + (frame["colour"] == "red") * (frame["grade"] == 1.0)
        + frame["old"]
        - (frame["kind"] == "v")
    )
    if not n_classes:
        return np.exp(total.to_numpy(np.float64))
    ranks = total.rank(method="first").to_numpy()
    return ((ranks - 1) * n_classes // len(ranks)).astype(int)


def unseen(frame):
    """Return rows with labels that were not there, as texts and as numbers."""
    rows = frame.copy()
    rows.loc[rows.index[:5], "colour"] = "violet"
    rows.loc[rows.index[5:9], "grade"] = 7.0
    rows["kind"] = rows["kind"].astype(object)
    rows.loc[rows.index[3:7], "kind"] = None
    return rows


def raw(model, X):
    found = model.decision_function(X) if hasattr(model, "classes_") else model.predict(X)
    return np.log(found) if getattr(model, "link_", "") == "log" else found


def assert_near(model, own, rows):
    """Raw scores are those of the library, rounded as promised; labels where sure."""
    (decoder,) = model.quantized_module_.output_quantizers
    allowed = np.max(decoder.rounding_error_bound) + 1e-9
    found, right = raw(model, rows), raw(own, rows)
    assert found.shape == right.shape
    np.testing.assert_allclose(found, right, rtol=1e-9, atol=allowed)
    if not hasattr(model, "classes_"):
        return
    ordered = np.sort(np.c_[right, -right] if right.ndim == 1 else right, axis=1)
    sure = ordered[:, -1] - ordered[:, -2] > 2 * allowed
    assert sure.mean() > 0.5
    np.testing.assert_array_equal(model.predict(rows)[sure], own.predict(rows)[sure])
    probabilities = own.predict_proba(rows)
    np.testing.assert_allclose(model.predict_proba(rows), probabilities, atol=2 * allowed)


# Against the library ---------------------------------------------------------------------


def check_random_table(seed, n_classes, interactions, is_twin):
    """Scores are the library's in all bins: of missing values and of unknown ones, too."""
    frame = table(seed)
    y = target(frame, n_classes)
    cls = ExplainableBoostingClassifier if n_classes else ExplainableBoostingRegressor
    options = {"interactions": interactions, "feature_types": TYPES, "random_state": seed}
    if is_twin:
        own = of_library(cls, **options).fit(frame, y)
        model = cls.from_sklearn_model(own, frame)
    else:
        model = small(cls, **options, n_bits=3).fit(frame, y)
        own = library_of(model)
    assert_near(model, own, frame)
    assert_near(model, own, unseen(frame))


RANDOM_TABLES = given(
    st.integers(0, 10**6),
    st.sampled_from([0, 2, 3]),
    st.sampled_from([0, 1, 3]),
    st.booleans(),
)
test_random_tables = settings(deadline=None, max_examples=5)(
    RANDOM_TABLES(check_random_table)
)


@pytest.mark.nightly
@settings(deadline=None, max_examples=150)
@RANDOM_TABLES
def test_many_random_tables(seed, n_classes, interactions, is_twin):
    check_random_table(seed, n_classes, interactions, is_twin)


@settings(deadline=None, max_examples=12)
@given(
    st.integers(0, 10**6),
    st.integers(1, 3),
    st.sampled_from([0, 2]),
    st.sampled_from(["splits", "quantile", "uniform"]),
)
def test_ties_at_cuts(seed, n_features, interactions, binning):
    random = np.random.default_rng(seed)
    X = random.normal(size=(60, n_features)).round(random.integers(0, 3))
    y = random.normal(size=60)
    model = small(
        ExplainableBoostingRegressor,
        interactions=interactions if n_features > 1 else 0,
        binning=binning,
    ).fit(X, y)
    cuts = [np.concatenate([*levels, [0.0]]) for levels in model.bins_]
    rows = np.stack([random.choice(of, 90) for of in cuts], axis=1)
    rows[30:60] = np.nextafter(rows[30:60], np.inf)
    rows[60:] = np.nextafter(rows[60:], -np.inf)
    assert_near(model, library_of(model), rows)


@pytest.mark.parametrize(
    ("objective", "link"),
    [
        ("rmse", "identity"),
        ("pseudo_huber:delta=1.0", "identity"),
        ("rmse_log", "log"),
        ("poisson_deviance", "log"),
        ("gamma_deviance", "log"),
        ("tweedie_deviance:variance_power=1.5", "log"),
    ],
)
def test_objectives(diabetes, objective, link):
    X, y = diabetes
    own = of_library(ExplainableBoostingRegressor, objective=objective, interactions=0)
    own.fit(X, y / 100)
    twin = ExplainableBoostingRegressor.from_sklearn_model(own)
    assert twin.link_ == link
    assert_near(twin, own, X)
    Exported.of(twin)  # clients apply the inverse link


@pytest.mark.parametrize("labels", [["a", "b", "c"], [5, -1, 2], [True, False]])
def test_labels(wine, labels):
    X, y = wine
    y = np.array(labels)[np.minimum(y, len(labels) - 1)]
    model = small(ExplainableBoostingClassifier).fit(X, y)
    assert model.score(X, y) > 0.9
    own = library_of(model).predict(X)
    np.testing.assert_array_equal(model.predict(X), own)
    assert model.predict(X).dtype == own.dtype
    Exported.of(model)


def test_coarse_twins(diabetes):
    """Cuts move to few edges; what is between two of them has its mean score."""
    X, y = diabetes
    own = of_library(
        ExplainableBoostingRegressor,
        max_bins=256,
        max_interaction_bins=64,
        interactions=3,
    ).fit(X, y)
    assert max(scores.size for scores in own.term_scores_) > 1_000
    twin = ExplainableBoostingRegressor.from_sklearn_model(own, X, n_bits=2)
    assert_near(twin, library_of(twin), X)
    assert twin.quantize_input(X).shape[1] <= 3 * X.shape[1]
    assert twin.score(X, y) > 0.7 * own.score(X, y)
    fine = ExplainableBoostingRegressor.from_sklearn_model(own, X, n_bits=4)
    assert fine.score(X, y) > twin.score(X, y)


def test_models_that_were_changed(wine):
    X, y = wine
    model = small(ExplainableBoostingClassifier, interactions=2).fit(X, y > 0)
    for change in (
        lambda: model.scale(0, -2.0),
        lambda: model.remove_terms([1, len(model.term_features_) - 1]),
        lambda: model.reorder_classes([True, False]),
        lambda: model.remove_terms(list(range(len(model.term_features_)))),
    ):
        before = model.decision_function(X)
        change()
        assert not np.array_equal(model.decision_function(X), before)
        np.testing.assert_allclose(
            model.decision_function(X), library_of(model).decision_function(X), atol=1e-2
        )


def test_explanations_are_the_librarys(wine):
    """In clear, of the client's own row; terms and intercept add up to the score."""
    X, y = wine
    model = small(ExplainableBoostingClassifier, interactions=2).fit(X, y > 0)
    own, model_terms = library_of(model), model.eval_terms(X)
    np.testing.assert_array_equal(model_terms, own.eval_terms(X))
    total = model_terms.sum(axis=1) + model.intercept_
    np.testing.assert_allclose(total, model.decision_function(X), atol=1e-2)
    found, expected = (m.explain_local(X[:2], y[:2] > 0).data(0) for m in (model, own))
    assert found["names"] == expected["names"]
    assert found["scores"] == expected["scores"]
    assert model.explain_global().data()["names"] == own.explain_global().data()["names"]


# Tables ----------------------------------------------------------------------------------


@pytest.mark.simulate
def test_main_effects_take_no_table(wine):
    X, y = wine
    model = small(ExplainableBoostingClassifier, n_bits=6).fit(X, y)
    assert model.compile().programmable_bootstrap_count == 0
    np.testing.assert_array_equal(model.predict(X, fhe="simulate"), model.predict(X))


@pytest.mark.simulate
@pytest.mark.parametrize("with_holes", [False, AT_NIGHT(True)])
def test_a_pair_takes_one_table(diabetes, with_holes):
    X, y = diabetes
    if with_holes:
        X = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
    X = X[:, :5]
    # Fine leaves are wide: several tables of three bits may be cheaper then.
    n_bits = {"op_inputs": 4, "op_weights": 8}
    model = small(ExplainableBoostingRegressor, interactions=2, n_bits=n_bits).fit(X, y)
    assert sum(len(features) == 2 for features in model.term_features_) == 2
    circuit = model.compile()
    assert 0 < circuit.programmable_bootstrap_count <= 2
    (tables,) = (node for node in circuit.graph if node.op == "TableLookup")
    assert circuit.graph.constants[tables.inputs[1]].shape[0] <= 16
    np.testing.assert_array_equal(model.predict(X, fhe="simulate"), model.predict(X))


@pytest.mark.simulate
@pytest.mark.parametrize("encoding", ["thermometer", AT_NIGHT("integer")])
def test_tables_of_all_kinds_simulated(encoding):
    frame = table(0)
    model = small(
        ExplainableBoostingClassifier,
        interactions=1,
        feature_types=TYPES,
        input_encoding=encoding,
        n_bits=1,
    ).fit(frame, target(frame, 2))
    rows = unseen(frame)
    for method in ("predict", "predict_proba", "decision_function"):
        clear = getattr(model, method)(rows)
        np.testing.assert_array_equal(getattr(model, method)(rows, fhe="simulate"), clear)


@pytest.mark.fhe
@pytest.mark.parametrize("interactions", [AT_NIGHT(0), 1])
def test_encrypted(interactions):
    frame = table(0)[["size", "colour"]]
    model = small(ExplainableBoostingClassifier, interactions=interactions, n_bits=2)
    model.fit(frame, target(table(0), 2))
    rows = unseen(table(0))[frame.columns][:3]
    clear = model.decision_function(rows)
    np.testing.assert_array_equal(model.decision_function(rows, fhe="execute"), clear)


@pytest.mark.nightly
@pytest.mark.fhe
@pytest.mark.parametrize("interactions", [0, 4])
def test_200_encrypted_rows(diabetes, interactions):
    X, y = diabetes
    model = ExplainableBoostingRegressor(interactions=interactions, n_jobs=1).fit(X, y)
    encrypted = model.predict(X[:200], fhe="execute")
    np.testing.assert_array_equal(encrypted, model.predict(X[:200]))


# With the rest of the package ------------------------------------------------------------


@pytest.mark.fhe
def test_client_and_server(tmp_path):
    frame = table(1)
    model = small(ExplainableBoostingClassifier, feature_types=TYPES, n_bits=2)
    model.fit(frame, target(frame, 3))
    deployed = Deployed.of(model, tmp_path)
    rows = unseen(frame)[:2]
    read = deployed.client.decrypt_predict(deployed.answer(rows))
    np.testing.assert_array_equal(read, model.predict(rows))


def test_searches_pipelines_and_files(wine, tmp_path):
    X, y = wine
    pipeline = make_pipeline(StandardScaler(), small(ExplainableBoostingClassifier))
    name = "explainableboostingclassifier__n_bits"
    search = GridSearchCV(pipeline, {name: [1, 5]}, cv=2).fit(X, y)
    assert search.best_params_ == {name: 5}
    best = search.best_estimator_
    joblib.dump(best, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), best.predict_proba(X))
    with config_context(fhe="disable"):
        assert search.score(X, y) > 0.9


def test_names_of_columns():
    """Rows of a model that was fitted on an array need none."""
    frame = table(2)[["size", "grade"]].fillna(0.0)
    y = target(table(2), 0)
    of_array = small(ExplainableBoostingRegressor).fit(frame.to_numpy(), y)
    of_frame = small(ExplainableBoostingRegressor).fit(frame, y)
    assert of_frame.feature_names_in_.tolist() == ["size", "grade"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = of_array.predict(frame.to_numpy())
        np.testing.assert_array_equal(of_frame.predict(frame), expected)
    with pytest.raises(ValueError, match="feature names should match"):
        of_frame.predict(frame[["grade", "size"]])
    assert Exported.of(of_array).features.names is None
    assert Exported.of(of_frame).features.names == ["size", "grade"]
