"""What is asked of rows before the library sees them, and the bins that it is given."""

import numpy as np
import pandas as pd
import pytest

from fhe_estimators import ExplainableBoostingClassifier, ExplainableBoostingRegressor
from fhe_estimators.interpret._library import coded_columns

SMALL = {"outer_bags": 1, "max_rounds": 10, "n_jobs": 1}
Y = np.arange(40) % 2


def frame(**columns):
    return pd.DataFrame({"size": np.linspace(0, 1, 40), **columns})


@pytest.mark.parametrize(
    ("rows", "types", "expected"),
    [
        (frame(), None, [False]),
        (frame(kind=["a", "b"] * 20), None, [False, True]),
        (frame(kind=["1", "2.5"] * 20), None, [False, False]),
        (frame(kind=pd.Series([1, 2] * 20, dtype="category")), None, [False, True]),
        (frame(kind=[1, 2] * 20), ["auto", "nominal"], [False, True]),
        (frame(kind=["a", "b"] * 20), [None, ["b", "a"]], [False, True]),
        (frame(), [[0.5]], [False]),
        (np.array([[1, "x"], [None, None]], object), None, [False, True]),
        (np.eye(2), ["ordinal", "uniform"], [True, False]),
    ],
)
def test_which_columns_hold_categories(rows, types, expected):
    assert coded_columns(rows, types).tolist() == expected


@pytest.mark.parametrize("binning", ["quantile", "uniform"])
@pytest.mark.parametrize("n_bits", [1, 2, 5])
def test_bins_are_those_of_n_bits(diabetes, n_bits, binning):
    X, y = diabetes
    X, options = np.delete(X, 1, axis=1), {**SMALL, "n_bits": n_bits, "binning": binning}
    pairs = {"interactions": [(0, 1)]}
    model = ExplainableBoostingRegressor(**options, **pairs).fit(X, y)
    assert model.max_bins is None
    # Those of pairs are not kept twice where they are the same.
    of_one, of_two = zip(*((of[0], of[-1]) for of in model.bins_[:2]), strict=True)
    assert [len(cuts) for cuts in of_one] == [2**n_bits - 1] * 2
    assert [len(cuts) for cuts in of_two] == [min(2**n_bits, 4) - 1] * 2
    if binning == "uniform":
        np.testing.assert_allclose(np.diff(of_one[0], n=2), 0, atol=1e-12)
    lacks = np.where(np.arange(len(X))[:, np.newaxis] % 5 == 0, np.nan, X)
    with pytest.warns(UserWarning, match="Missing values"):
        model.fit(lacks, y)
    assert [len(levels[-1]) for levels in model.bins_[:2]] == [min(2**n_bits, 3) - 1] * 2
    given = ExplainableBoostingRegressor(**options, max_bins=9).fit(X, y)
    assert len(given.bins_[0][0]) == 6


@pytest.mark.parametrize("n_bits", [1, 3])
def test_cuts_are_where_scores_step(n_bits):
    """As many as quantiles on average, where they matter; pairs keep their own."""
    X = np.random.default_rng(0).uniform(size=(900, 3))
    X[:, 2] = X[:, 2].round()
    y = np.where(X[:, 0] > 0.97, 5.0, 0) + np.where(X[:, 0] > 0.05, 3.0, 0) + X[:, 1] / 9
    options = {**SMALL, "max_rounds": 300, "n_bits": n_bits, "interactions": [(0, 1)]}
    model = ExplainableBoostingRegressor(**options).fit(X, y)
    cuts = [np.unique(levels[0]) for levels in model.bins_]
    assert 1 <= sum(map(len, cuts[:2])) <= 2 * (2**n_bits - 1)
    assert min(map(len, cuts[:2])) >= 1
    assert len(cuts[2]) == 1
    assert len(np.unique(model.bins_[0][1])) == min(2**n_bits, 4) - 1
    quantile = ExplainableBoostingRegressor(**options, binning="quantile").fit(X, y)
    left = [1 - fitted.score(X, y) for fitted in (model, quantile)]
    if n_bits == 3:
        assert left[0] < 0.8 * left[1]
        assert np.abs(cuts[0][:, np.newaxis] - [0.05, 0.97]).min(axis=0).max() < 0.01


def test_all_fine_cuts_are_worth_it_or_given(diabetes):
    X, y = diabetes
    for options in ({"n_bits": 8}, {"n_bits": 3, "max_bins": 40}):
        model = ExplainableBoostingRegressor(**{**SMALL, **options}).fit(X, y)
        same = ExplainableBoostingRegressor(**{**SMALL, **options}, binning="quantile").fit(
            X, y
        )
        for of, others in zip(model.bins_, same.bins_, strict=True):
            np.testing.assert_array_equal(of[0], others[0])


@pytest.mark.parametrize(
    ("options", "rows", "words"),
    [
        ({"feature_types": ["ignore"]}, frame(), "'feature_types'.*'auto'.*'ignore'"),
        ({"feature_types": [None] * 3}, frame(), "3 types, but X has 1 columns"),
        ({"feature_names": ["length"]}, frame(), "'feature_names'.*'size'.*'length'"),
        ({"binning": "adaptive"}, frame(), "'binning'.*'quantile'"),
        ({}, frame(other=np.inf), "infinity"),
    ],
)
def test_refusals(options, rows, words):
    with pytest.raises(ValueError, match=words):
        ExplainableBoostingRegressor(**SMALL, **options).fit(rows, Y)


def test_one_class_is_refused():
    weights = np.where(Y == 0, 1.0, 0.0)
    for y, options in ((Y * 0, {}), (Y, {"sample_weight": weights})):
        with pytest.raises(ValueError, match="only one class"):
            ExplainableBoostingClassifier(**SMALL).fit(frame(), y, **options)


def test_scores_to_start_from_are_not_predicted_with():
    model = ExplainableBoostingRegressor(**SMALL).fit(frame(), Y)
    with pytest.raises(ValueError, match="'init_score'"):
        model.predict(frame(), init_score=np.ones(40))


def test_values_that_are_not_known(diabetes):
    X, y = diabetes
    model = ExplainableBoostingRegressor(**SMALL).fit(X, y)
    X = X.copy()
    X[0, 3] = np.nan
    with pytest.raises(ValueError, match=r"NaN.*column 3 .*without missing values"):
        model.predict(X)


def test_interactions_of_hundreds_of_states_are_refused(diabetes):
    X, y = diabetes
    model = ExplainableBoostingRegressor(
        **SMALL, interactions=5, n_bits=8, max_interaction_bins=130
    )
    with pytest.raises(ValueError, match=r"16256 states.*max_interaction_bins=6"):
        model.fit(X, y)


def test_bounds_are_no_training_values(diabetes):
    X, y = diabetes
    X = X + 1e-4 * np.random.default_rng(0).random(X.shape)
    model = ExplainableBoostingRegressor(**SMALL).fit(X, y)
    low, high = model.feature_bounds_.T
    assert (low < X.min(axis=0)).all()
    assert (high > X.max(axis=0)).all()
    assert (high - low < 1.05 * np.ptp(X, axis=0)).all()
    assert not np.isin(np.concatenate(model.histogram_edges_), X).any()
