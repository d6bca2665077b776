"""Bins whose edges are where the parent divides features."""

import numpy as np
import pandas as pd
import pytest
from sklearn import ensemble, tree
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.utils import check_random_state

import fhe_estimators as fe
from tests.ensembles import few


def tails(n_rows=3_000):
    """Return rows far out, and a target that their largest numbers decide."""
    X = np.exp(1.5 * np.random.default_rng(0).normal(size=(n_rows, 4)))
    return X, (X[:, 0] > np.quantile(X[:, 0], 0.98)) + 2.0 * (X[:, 1] < 0.4)


@pytest.mark.parametrize("make", [load_breast_cancer, load_wine])
@pytest.mark.parametrize("depth", [3, 6])
def test_trees_that_bins_suffice_for_are_those_of_scikit_learn(make, depth):
    """Rows that were not fitted on too: thresholds are edges, as they are."""
    X, y = make(return_X_y=True)
    ours, theirs = (
        library.DecisionTreeClassifier(max_depth=depth, random_state=0).fit(X[::2], y[::2])
        for library in (fe, tree)
    )
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


@pytest.mark.parametrize("n_bits", [1, 3])
def test_a_split_whose_sides_have_the_same_mean_has_an_edge(n_bits):
    """The root of an exclusive or; other features are divided, too, for a second fit."""
    X = np.random.default_rng(0).uniform(-1, 1, size=(2_000, 2))
    X[:, 0] = np.where(X[:, 0] > 0, 1, -1) * (1 + np.abs(X[:, 0]))
    y = (X[:, 0] > 0) ^ (X[:, 1] > 0)
    model = fe.DecisionTreeClassifier(max_depth=4, n_bits=n_bits, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9
    assert min(len(of) for of in model._bin_edges.edges) >= 1


def test_edges_go_where_tails_are():
    X, y = tails()
    scores = {
        binning: fe.DecisionTreeRegressor(max_depth=3, n_bits=3, binning=binning)
        .fit(X, y)
        .score(X, y)
        for binning in ("splits", "quantile")
    }
    assert scores["splits"] > 0.99
    assert scores["quantile"] < 0.9


@pytest.mark.parametrize("encoding", ["thermometer", "integer"])
@pytest.mark.parametrize("n_bits", [1, 2, 4, 7, 8])
def test_features_share_their_edges(n_bits, encoding):
    """An integer a feature has `n_bits`; of bits of edges as many are sent in all."""
    X, y = tails()
    model = fe.RandomForestRegressor(
        5, max_depth=6, n_bits=n_bits, input_encoding=encoding, random_state=0
    ).fit(X, y)
    edges = model._bin_edges.edges
    sizes = [len(of) for of in edges]
    n_most = 2**n_bits - 1
    assert sum(sizes) <= n_most * len(sizes)
    if encoding == "integer":
        assert max(sizes) <= n_most
    elif n_bits == 2:
        # The target is of two features.
        assert max(sizes) > n_most
    assert max(sizes) <= 255
    for feature, threshold in model._comparisons():
        for column in np.unique(feature[feature >= 0]):
            assert np.isin(threshold[feature == column], edges[column]).all()


@pytest.mark.parametrize("name", ["RandomForestRegressor", "GradientBoostingRegressor"])
def test_only_where_splits_have_to_move_the_parent_is_fitted_again(monkeypatch, name):
    X, y = tails(400)
    cls, fitted_again = getattr(fe, name), []
    prepared_again = cls._prepared_again

    def noted(self, *args):
        rows = prepared_again(self, *args)
        fitted_again.append(rows is not None)
        return rows

    monkeypatch.setattr(cls, "_prepared_again", noted)
    for rows, parameters in (
        (X, {}),
        (X.round().clip(0, 3), {}),
        (X, {"binning": "adaptive"}),
        (X, {"warm_start": True}),
    ):
        cls(**few(name), max_depth=5, n_bits=2, **parameters).fit(rows, y)
    assert fitted_again == [True, False, False, False]


def test_trees_that_are_added_are_on_the_bins_of_the_first():
    X, y = tails(400)
    model = fe.RandomForestRegressor(3, max_depth=4, warm_start=True, random_state=0)
    edges = model.fit(X, y)._bin_edges.edges
    model.set_params(n_estimators=6).fit(X, y)
    assert len(model.estimators_) == 6
    for before, after in zip(edges, model._bin_edges.edges, strict=True):
        np.testing.assert_array_equal(before, after)


def test_trees_that_are_added_do_not_move_those_of_tables_with_labels():
    random = np.random.default_rng(0)
    X = pd.DataFrame(
        {"a": np.exp(2 * random.normal(size=600)), "c": random.normal(size=600)}
    )
    X["b"] = pd.Categorical(random.choice(list("uvw"), 600))
    X = X[["a", "b", "c"]]
    y = (X["a"] > 20) * 3.0 + (X["b"] == "u") + np.sin(X["c"])
    model = fe.HistGradientBoostingRegressor(max_iter=5, n_bits=2).fit(X, y)
    before = [threshold.copy() for _, threshold in model._comparisons()]
    edges = model._bin_edges.edges
    model.set_params(max_iter=7, warm_start=True).fit(X, y)
    assert len(model._comparisons()) == 7
    for (_, threshold), expected in zip(model._comparisons(), before, strict=False):
        np.testing.assert_array_equal(threshold, expected)
    for after, expected in zip(model._bin_edges.edges, edges, strict=True):
        np.testing.assert_array_equal(after, expected)


def test_labels_and_missing_numbers():
    """Labels come first among the features of the fitted model, not among the columns."""
    random = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "a": np.exp(2 * random.normal(size=900)),
            "b": pd.Categorical(random.choice(list("uvw"), 900)),
            "c": random.normal(size=900),
        }
    )
    y = (X["a"] > 20) ^ (X["b"] == "u") ^ (X["c"] > 1)
    X.loc[::7, "c"] = np.nan
    for rows in (X, X[["c", "b", "a"]]):
        model = fe.HistGradientBoostingClassifier(
            max_iter=20, n_bits=3, categorical_features="from_dtype", random_state=0
        ).fit(rows, y)
        assert model.score(rows, y) > 0.95
        # An edge of infinity is that of missing values.
        sizes = [len(of) for of in model._bin_edges.edges]
        assert sorted(sizes) == [3, 7, 8]
        assert model._table.in_order(rows.columns)[0] == "b"


def test_twins_keep_the_thresholds_that_matter():
    X, y = tails()
    fitted = tree.DecisionTreeRegressor(max_leaf_nodes=6, random_state=0).fit(X, y)
    expected = fitted.predict(X)
    errors = {}
    for binning in ("splits", "adaptive"):
        twin = fe.DecisionTreeRegressor.from_sklearn_model(
            fitted, X, n_bits=3, binning=binning
        )
        assert max(len(of) for of in twin._bin_edges.edges) == 7
        errors[binning] = np.mean((twin.predict(X) - expected) ** 2)
    assert errors["splits"] == 0 < errors["adaptive"]


def test_early_stopping_may_leave_trees_over():
    lightgbm = pytest.importorskip("lightgbm")
    X, y = tails(600)
    y = y + np.random.default_rng(1).normal(size=600)
    stop = lightgbm.early_stopping(2, verbose=False)
    model = fe.LGBMRegressor(
        n_estimators=40, learning_rate=0.5, num_leaves=8, n_bits=3, n_jobs=1, verbose=-1
    ).fit(X[:400], y[:400], eval_X=X[400:], eval_y=y[400:], callbacks=[stop])
    assert 0 < model.best_iteration_ < 40
    assert model.quantized_module_ is not None
    assert sum(len(of) for of in model._bin_edges.edges) <= 4 * 7


@pytest.mark.simulate
@pytest.mark.parametrize("encoding", ["thermometer", "integer"])
def test_simulated_rows_are_the_clear_ones(encoding):
    X, y = tails(500)
    model = fe.GradientBoostingRegressor(
        n_estimators=4, n_bits=3, input_encoding=encoding, random_state=0
    ).fit(X, y)
    found = model.predict(X[:40], fhe="simulate")
    np.testing.assert_array_equal(found, model.predict(X[:40]))


def test_a_second_fit_warns_no_second_time():
    X, y = tails(400)
    y = (y > 1).astype(int)
    with pytest.warns(UserWarning, match="out-of-bag|OOB") as warned:
        fe.RandomForestClassifier(2, oob_score=True, n_bits=2, random_state=0).fit(X, y)
    assert len([each for each in warned if "OOB" in str(each.message)]) == 1


def test_both_fits_draw_the_same():
    """A generator is left as one fit leaves it, and the model is that of its seed."""
    X, y = load_breast_cancer(return_X_y=True)
    generator = np.random.RandomState(0)
    models = [
        fe.RandomForestClassifier(n_estimators=5, n_bits=3, random_state=state).fit(X, y)
        for state in (0, generator)
    ]
    np.testing.assert_array_equal(*(model.predict_proba(X) for model in models))
    parent = ensemble.RandomForestClassifier(n_estimators=5, max_depth=4)
    expected = np.random.RandomState(0)
    parent.set_params(random_state=expected).fit(X, y)
    assert generator.randint(1 << 30) == expected.randint(1 << 30)


def test_both_fits_draw_the_same_from_the_generator_of_numpy():
    """So a seed of numpy's generator leads to the model of that seed, and no further."""
    X, y = load_breast_cancer(return_X_y=True)
    model = fe.RandomForestClassifier(n_estimators=5, n_bits=3)
    parent = ensemble.RandomForestClassifier(n_estimators=5, max_depth=4)
    generator, left = check_random_state(None), []
    before = generator.get_state()
    try:
        for fitted in (model, parent):
            generator.seed(0)
            fitted.fit(X, y)
            left.append(generator.randint(1 << 30))
    finally:
        generator.set_state(before)
    assert left[0] == left[1]
    found = fe.RandomForestClassifier(
        n_estimators=5, n_bits=3, random_state=np.random.RandomState(0)
    ).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), found.predict_proba(X))


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_both_fits_draw_the_same_from_a_new_generator(library):
    """Libraries take generators that scikit-learn does not."""
    module = pytest.importorskip(f"fhe_estimators.{library}")
    cls = {"lightgbm": "LGBMRegressor", "xgboost": "XGBRegressor"}[library]
    X, y = tails(400)
    drawn = np.random.default_rng(0)
    few_trees = {"n_estimators": 3, "n_bits": 2, "subsample": 0.5}
    getattr(module, cls)(**few_trees, random_state=drawn).fit(X, y)
    expected = np.random.default_rng(0)
    getattr(module, cls)(**few_trees, random_state=expected, binning="quantile").fit(X, y)
    assert drawn.bit_generator.state == expected.bit_generator.state
