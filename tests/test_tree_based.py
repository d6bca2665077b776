"""Trees and ensembles against the parents fitted on the same bins, on real data."""

import pickle

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import fhe_estimators as fe
from fhe_estimators._config import fitting
from fhe_estimators.base import parent_of
from tests.ensembles import (
    ALL,
    CLASSIFIERS,
    assert_same,
    data_of,
    each_classifier,
    each_regressor,
    few,
    on_bins,
    pair,
    raw,
)

# Against the parent --------------------------------------------------------------------


@pytest.mark.parametrize("data", ["wine", "breast_cancer"])
@each_classifier
def test_classifiers(request, name, data):
    X, y = request.getfixturevalue(data)
    ours, theirs = pair(name, X, y)
    assert_same(ours, theirs, X)
    agreement = np.mean(ours.predict(X) == theirs.predict(on_bins(ours, X)))
    assert agreement > 0.995
    np.testing.assert_allclose(ours.predict_proba(X).sum(axis=1), 1)
    assert ours.predict_proba(X).min() >= 0


@each_classifier
def test_ten_classes(name):
    X, y = load_digits(return_X_y=True)
    X, X_test, y, _ = train_test_split(X, y, train_size=500, random_state=0)
    ours, theirs = pair(name, X, y, n_trees=3, max_depth=3)
    assert_same(ours, theirs, X)
    assert np.mean(ours.predict(X_test) == theirs.predict(on_bins(ours, X_test))) >= 0.98


@each_regressor
def test_regressors(diabetes, name):
    assert_same(*pair(name, *diabetes), diabetes[0])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("GradientBoostingClassifier", {"loss": "exponential"}),
        ("GradientBoostingClassifier", {"init": "zero", "subsample": 0.5}),
        ("GradientBoostingClassifier", {"n_iter_no_change": 2, "max_features": "sqrt"}),
        *[
            ("GradientBoostingRegressor", {"loss": loss})
            for loss in ("absolute_error", "huber", "quantile")
        ],
        ("GradientBoostingRegressor", {"init": "zero"}),
        ("HistGradientBoostingClassifier", {"early_stopping": True, "scoring": "accuracy"}),
        ("HistGradientBoostingClassifier", {"class_weight": "balanced", "max_bins": 7}),
        *[
            ("HistGradientBoostingRegressor", {"loss": loss})
            for loss in ("absolute_error", "gamma", "poisson")
        ],
        ("HistGradientBoostingRegressor", {"loss": "quantile", "quantile": 0.8}),
        ("HistGradientBoostingRegressor", {"interaction_cst": "no_interactions"}),
        ("DecisionTreeClassifier", {"ccp_alpha": 0.01, "class_weight": "balanced"}),
        ("DecisionTreeClassifier", {"splitter": "random", "max_leaf_nodes": 9}),
        ("DecisionTreeRegressor", {"criterion": "absolute_error", "max_depth": 4}),
        ("RandomForestClassifier", {"class_weight": "balanced_subsample"}),
        ("RandomForestRegressor", {"criterion": "poisson", "max_samples": 0.3}),
        ("ExtraTreesClassifier", {"max_depth": None, "min_samples_leaf": 5}),
        *[
            ("DecisionTreeRegressor", {"n_bits": n_bits, "binning": binning})
            for n_bits in (1, 3, 8)
            for binning in ("quantile", "uniform")
        ],
    ],
    ids=str,
)
def test_options(request, name, options):
    X, y = data_of(request, name)
    assert_same(*pair(name, X, y, **options), X)


@pytest.mark.parametrize(
    "name", ["DecisionTree", "ExtraTrees", "GradientBoosting", "RandomForest"]
)
@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_methods_in_clear(request, name, kind):
    """What is computed on scikit-learn's trees is what it is on bins."""
    X, y = data_of(request, name + kind)
    ours, theirs = pair(name + kind, X, y, n_trees=5)
    rows = on_bins(ours, X)
    np.testing.assert_array_equal(ours.apply(X), theirs.apply(rows))
    np.testing.assert_array_equal(ours.feature_importances_, theirs.feature_importances_)
    if hasattr(ours, "decision_path"):
        paths = zip(ours.decision_path(X), theirs.decision_path(rows), strict=False)
        assert all(np.array_equal(a, b) for a, b in paths if isinstance(a, np.ndarray))
    if hasattr(ours, "staged_predict"):
        stages = zip(ours.staged_predict(X), theirs.staged_predict(rows), strict=True)
        assert all(np.array_equal(a, b) for a, b in stages)


@each_classifier
def test_thresholds_are_edges(wine, name):
    model = getattr(fe, name)(**few(name)).fit(*wine)
    for feature, threshold in model._comparisons():
        for column in set(feature[feature >= 0]):
            assert np.isin(
                threshold[feature == column], model._bin_edges.edges[column]
            ).all()


@pytest.mark.parametrize("data", ["wine", "breast_cancer"])
@each_classifier
def test_twin_has_the_labels_of_the_model(request, name, data):
    X, y = request.getfixturevalue(data)
    X, X_test, y, _ = train_test_split(X, y, random_state=0)
    cls = getattr(fe, name)
    model = parent_of(cls)(**few(name)).fit(X, y)
    twin = cls.from_sklearn_model(model, X)
    for rows in (X, X_test):
        np.testing.assert_array_equal(twin.predict(rows), model.predict(rows))


def test_twin_on_a_grid(breast_cancer):
    X, y = breast_cancer
    model = parent_of(fe.GradientBoostingClassifier)(random_state=0).fit(X, y)
    twin = fe.GradientBoostingClassifier.from_sklearn_model(
        model, X, n_bits=6, binning="uniform"
    )
    assert max(twin.quantized_module_.alternatives.encoder.sizes) <= 63
    assert np.mean(twin.predict(X) == model.predict(X)) > 0.95


@pytest.mark.parametrize(
    "name",
    [
        *("DecisionTreeClassifier", "DecisionTreeRegressor"),
        *("ExtraTreesClassifier", "ExtraTreesRegressor"),
    ],
)
def test_weights_are_repeated_rows(request, name):
    X, y = data_of(request, name)
    weights = np.random.default_rng(0).integers(0, 3, len(y))
    model = getattr(fe, name)(**few(name, 5))
    weighted = model.fit(X, y, sample_weight=weights).predict(X)
    repeated = model.fit(np.repeat(X, weights, axis=0), np.repeat(y, weights)).predict(X)
    tolerance = 0.02 * np.std(y) if "Regressor" in name else 0
    np.testing.assert_allclose(weighted, repeated, atol=tolerance, rtol=0)


# Targets and inputs --------------------------------------------------------------------


@each_classifier
def test_string_labels(wine, name):
    X, y = wine
    names = np.array(["red", "rosé", "white"])
    model = getattr(fe, name)(**few(name))
    labels = model.fit(X, names[y]).predict(X)
    np.testing.assert_array_equal(labels, names[model.fit(X, y).predict(X)])


@pytest.mark.parametrize("name", ["DecisionTree", "ExtraTrees", "RandomForest"])
def test_several_outputs(wine, diabetes, name):
    X, y = wine
    several = np.stack([y, y > 0, X[:, 0] > 13], axis=1).astype(int)
    ours, theirs = pair(name + "Classifier", X, several, n_trees=5)
    for found, expected in zip(
        ours.predict_proba(X), theirs.predict_proba(on_bins(ours, X)), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=0.02)
        np.testing.assert_allclose(found.sum(axis=1), 1)
    agreement = np.mean(ours.predict(X) == theirs.predict(on_bins(ours, X)))
    assert agreement >= 0.995
    X, y = diabetes
    several = np.stack([y, 2 * y, X[:, 0]], axis=1)
    ours, theirs = pair(name + "Regressor", X, several, n_trees=5)
    assert ours.predict(X).shape == several.shape
    assert_same(ours, theirs, X)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_data_frames(breast_cancer, container):
    """Names of features reach the parent: here, its constraints are given by name."""
    library = pytest.importorskip(container)
    X, y = breast_cancer
    names = [f"feature {number}" for number in range(X.shape[1])]
    kind = {"pandas": "columns", "polars": "schema"}[container]
    frame = library.DataFrame(X, **{kind: names})
    constraints = {"feature 0": 1, "feature 3": -1}
    model = fe.HistGradientBoostingClassifier(max_iter=5, monotonic_cst=constraints)
    model.fit(frame, y)
    assert list(model.feature_names_in_) == names
    array = [constraints.get(name, 0) for name in names]
    other = fe.HistGradientBoostingClassifier(max_iter=5, monotonic_cst=array).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(frame), other.predict_proba(X))


@pytest.mark.parametrize("name", ["DecisionTreeRegressor", "RandomForestRegressor"])
def test_monotonic_constraints(diabetes, name):
    X, y = diabetes
    constraints = [0, 0, 1] + [0] * 7
    model = getattr(fe, name)(monotonic_cst=constraints, **few(name)).fit(X, y)
    rows = np.repeat(X[:20], 30, axis=0)
    rows[:, 2] = np.tile(np.linspace(X[:, 2].min(), X[:, 2].max(), 30), 20)
    rises = np.diff(model.predict(rows).reshape(20, 30), axis=1)
    assert rises.min() >= -0.02 * np.std(y)


# Fitting -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in ALL if "DecisionTree" not in name])
def test_warm_start(request, name):
    """Trees are added on the bins of the first fit."""
    X, y = data_of(request, name)
    (number,) = few(name).keys() & {"n_estimators", "max_iter"}
    parameters = {**few(name), "warm_start": True, number: 3}
    model = getattr(fe, name)(**parameters).fit(X[:200], y[:200])
    bin_edges = model._bin_edges
    model.set_params(**{number: 6}).fit(X, y)
    assert model._bin_edges is bin_edges
    assert len(model._comparisons()) == 6
    for feature, threshold in model._comparisons():
        for column in set(feature[feature >= 0]):
            assert np.isin(threshold[feature == column], bin_edges.edges[column]).all()


@pytest.mark.parametrize("name", ["RandomForestClassifier", "RandomForestRegressor"])
def test_out_of_bag_score(request, name):
    X, y = data_of(request, name)
    ours, theirs = pair(name, X, y, oob_score=True, n_trees=40)
    assert ours.oob_score_ == theirs.oob_score_


@pytest.mark.parametrize("name", ALL)
def test_onnx_model_in_onnxruntime(request, name):
    """Another runtime computes what the parent predicts from the exported model."""
    onnxruntime = pytest.importorskip("onnxruntime")
    X, y = data_of(request, name)
    ours, theirs = pair(name, X, y, n_trees=5)
    rows = on_bins(ours, X)
    methods = ("predict_proba", "score_samples", "predict")
    method = next(method for method in methods if hasattr(theirs, method))
    expected = getattr(theirs, method)(rows)
    session = onnxruntime.InferenceSession(ours.onnx_model.SerializeToString())
    (output,) = session.run(None, {"input": rows.astype(np.float64)})
    np.testing.assert_allclose(output.reshape(expected.shape), expected, atol=1e-9)


# Circuits ------------------------------------------------------------------------------


@pytest.mark.simulate
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_simulation_is_clear(breast_cancer, name):
    X, y = breast_cancer
    model = getattr(fe, name)(**few(name, 5)).fit(X, y)
    found = model.predict_proba(X[:50], fhe="simulate")
    np.testing.assert_array_equal(found, model.predict_proba(X[:50]))


@pytest.mark.fhe
@pytest.mark.parametrize("name", [*CLASSIFIERS, "IsolationForest"])
def test_encrypted_rows(wine, name):
    X, y = wine
    shallow = {"max_depth": 2} if "IsolationForest" not in name else {"max_samples": 4}
    model = getattr(fe, name)(**few(name, 2), **shallow).fit(X, y)
    predict = model.predict_proba if is_classifier(model) else model.score_samples
    np.testing.assert_array_equal(predict(X[::80], fhe="execute"), predict(X[::80]))


@pytest.mark.parametrize("name", ALL)
def test_twin_on_a_grid_is_what_its_circuit_computes(name, breast_cancer):
    """Its thresholds are moved, and only its own."""
    X, y = breast_cancer
    cls = getattr(fe, name)
    model = parent_of(cls)(**few(name, 5)).fit(X, y)
    before = pickle.dumps(model)
    twin = cls.from_sklearn_model(model, X, n_bits=2)
    assert pickle.dumps(model) == before
    found = raw(twin, X)
    # What the trees themselves give, as scikit-learn has them.
    with fitting():
        own = raw(twin, X)
    error = np.sqrt(np.mean((found - own) ** 2))
    assert error <= 0.01 * own.std()
    # Another model than the one that was given, of at most four bins a feature; on edges
    # that features share its thresholds may be all there.
    other = cls.from_sklearn_model(model, X, n_bits=2, binning="quantile")
    assert not np.allclose(raw(other, X), raw(model, X))
    for feature, threshold in twin._comparisons():
        for column in np.unique(feature[feature >= 0]):
            assert np.isin(
                threshold[feature == column], twin._bin_edges.edges[column]
            ).all()


@pytest.mark.parametrize("name", ["IsolationForest", "RandomForestRegressor"])
def test_rows_as_far_as_floats_reach(name):
    """Numbers are finite though sums of them are not, and nothing warns of it."""
    X = np.random.default_rng(0).normal(size=(40, 4))
    model = getattr(fe, name)(n_estimators=2, random_state=0).fit(X, X[:, 0])
    largest = float(np.finfo(np.float32).max)
    rows = np.array([[largest], [-largest]]) * np.ones(4)
    ends = np.array([X.max(axis=0), X.min(axis=0)])
    np.testing.assert_array_equal(model.predict(rows), model.predict(ends))
