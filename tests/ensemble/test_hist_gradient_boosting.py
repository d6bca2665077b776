"""Histogram boosting whose trees look at few features each: what it costs."""

import numpy as np
import pytest

from fhe_estimators import HistGradientBoostingClassifier, HistGradientBoostingRegressor


def pairs_of(model):
    """Return the different sets of several features that paths to leaves look at."""
    found = set()
    for nodes in model._nodes():
        pending = [(0, frozenset())]
        while pending:
            at, features = pending.pop()
            if nodes["is_leaf"][at]:
                found.add(features)
                continue
            features = features | {int(nodes["feature_idx"][at])}
            pending += ((int(nodes[side][at]), features) for side in ("left", "right"))
    return {features for features in found if len(features) > 1}


@pytest.mark.simulate
@pytest.mark.parametrize(
    "cls", [HistGradientBoostingClassifier, HistGradientBoostingRegressor]
)
def test_interactions_cost_tables(wine, diabetes, cls):
    """None without interactions; few for pairs, however many trees look at them."""
    classifies = cls is HistGradientBoostingClassifier
    X, y = wine if classifies else diabetes
    X, y = X[:, :4], y > 0 if classifies else y
    tables = {}
    for constraint in ("no_interactions", "pairwise", None):
        model = cls(max_iter=20, interaction_cst=constraint, n_bits=2, random_state=0).fit(
            X, y
        )
        tables[constraint] = model.compile().programmable_bootstrap_count
        assert (tables[constraint] == 0) == (constraint == "no_interactions")
        np.testing.assert_array_equal(model.predict(X, fhe="simulate"), model.predict(X))
        if constraint == "pairwise":
            pairs = pairs_of(model)
            assert max(map(len, pairs)) == 2
            assert 0 < 2 * tables[constraint] <= len(model._nodes())
    assert tables["pairwise"] < tables[None]
