"""Histogram boosting whose trees look at few features each: what it costs."""

import numpy as np
import pytest

from fhe_estimators import HistGradientBoostingClassifier, HistGradientBoostingRegressor


def pairs_of(model):
    """Return the different sets of several features that trees look at."""
    found = {
        frozenset(nodes["feature_idx"][nodes["is_leaf"] == 0].tolist())
        for nodes in model._nodes()
    }
    return {features for features in found if len(features) > 1}


@pytest.mark.simulate
@pytest.mark.parametrize(
    "cls", [HistGradientBoostingClassifier, HistGradientBoostingRegressor]
)
def test_interactions_cost_tables(wine, diabetes, cls):
    """None without interactions; one for each pair, however many trees look at it."""
    classifies = cls is HistGradientBoostingClassifier
    X, y = wine if classifies else diabetes
    X, y = X[:, :5], y > 0 if classifies else y
    tables = {}
    for constraint in ("no_interactions", "pairwise", None):
        model = cls(max_iter=30, interaction_cst=constraint, n_bits=2, random_state=0).fit(
            X, y
        )
        tables[constraint] = model.compile().programmable_bootstrap_count
        assert (tables[constraint] == 0) == (constraint == "no_interactions")
        np.testing.assert_array_equal(model.predict(X, fhe="simulate"), model.predict(X))
        if constraint == "pairwise":
            pairs = pairs_of(model)
            assert max(map(len, pairs)) == 2
            assert 0 < tables[constraint] <= len(pairs) < len(model._nodes())
    assert tables["pairwise"] < tables[None]
