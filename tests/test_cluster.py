"""The nearest centers."""

import numpy as np
import pytest
from sklearn import cluster

from fhe_estimators import KMeans, MiniBatchKMeans


@pytest.mark.parametrize("name", ["KMeans", "MiniBatchKMeans"])
def test_results_are_those_of_the_parent(name, wine):
    X, _ = wine
    ours = {"KMeans": KMeans, "MiniBatchKMeans": MiniBatchKMeans}[name]
    ours = ours(5, random_state=0, n_bits=16).fit(X)
    theirs = getattr(cluster, name)(5, random_state=0).fit(X)
    assert np.mean(ours.predict(X) == theirs.predict(X)) > 0.99
    # A small distance is the root of a difference of large squares.
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X), atol=4)
    np.testing.assert_allclose(ours.score(X), theirs.score(X), rtol=1e-2)
    weights = np.arange(len(X)) / len(X)
    found = ours.score(X, None, weights)
    np.testing.assert_allclose(found, theirs.score(X, None, weights), rtol=1e-2)


@pytest.mark.simulate
def test_distances_and_scores_in_another_mode(wine):
    X, _ = wine
    model = KMeans(3, random_state=0).fit(X)
    simulated = model.transform(X, fhe="simulate")
    np.testing.assert_array_equal(simulated, model.transform(X))
    assert model.score(X, fhe="simulate") == model.score(X)


def test_centers_that_move(wine):
    X, _ = wine
    model = MiniBatchKMeans(3, random_state=0, n_init=1)
    for part in np.array_split(X, 3):
        model.partial_fit(part)
    distances = ((X[:, np.newaxis] - model.cluster_centers_) ** 2).sum(axis=2)
    assert np.mean(model.predict(X) == distances.argmin(axis=1)) > 0.97
