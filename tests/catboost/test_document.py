"""Models in CatBoost's JSON format: the order of leaves, thresholds that move."""

import catboost
import numpy as np
import pytest

from fhe_estimators.catboost._document import (
    document_of,
    features_and_thresholds,
    loaded,
    moved,
    tree_arrays,
)


def fitted(policy, **options):
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 3))
    y = np.c_[X[:, 0] * X[:, 1], X[:, 2] > 0]
    model = catboost.CatBoostRegressor(
        iterations=4,
        depth=3,
        loss_function="MultiRMSE",
        grow_policy=policy,
        logging_level="Silent",
        allow_writing_files=False,
        **options,
    )
    return model.fit(X, y), np.float32(X)


def sums(document, X):
    """Return the sums of trees, evaluated node by node."""
    total = np.zeros((len(X), len(document["scale_and_bias"][1])))
    for tree in tree_arrays(document):
        for number, row in enumerate(X):
            node = 0
            while tree.left[node] >= 0:
                below = row[tree.feature[node]] <= tree.threshold[node]
                node = (tree.left if below else tree.right)[node]
            total[number] += tree.value[node]
    return total + document["scale_and_bias"][1]


@pytest.mark.parametrize("policy", ["SymmetricTree", "Depthwise", "Lossguide"])
def test_trees_are_those_of_the_library(policy):
    options = {} if policy == "SymmetricTree" else {"boosting_type": "Plain"}
    model, X = fitted(policy, **options)
    np.testing.assert_allclose(sums(document_of(model), X), model.predict(X))


@pytest.mark.parametrize("decimals", [0, 1])
def test_moved_thresholds(decimals):
    """Rows see the float that is not above each threshold; borders may become the same."""
    model, X = fitted("SymmetricTree")
    document = document_of(model)
    thresholds = [t.round(decimals) for _, t in features_and_thresholds(document)]
    changed = loaded(moved(document, thresholds))
    np.testing.assert_allclose(changed.predict(X), sums(document, X))
    for (_, found), threshold in zip(
        features_and_thresholds(document_of(changed)), thresholds, strict=True
    ):
        np.testing.assert_array_equal(found <= threshold, True)
        np.testing.assert_allclose(found, threshold, rtol=1e-6)


def test_infinite_thresholds():
    model, X = fitted("SymmetricTree")
    document = document_of(model)
    comparisons = features_and_thresholds(document)
    changed = moved(document, [np.where(f < 0, t, np.inf) for f, t in comparisons])
    (row,) = np.unique(loaded(changed).predict(X), axis=0)
    np.testing.assert_allclose(row, sums(changed, X[:1])[0])
