"""Neighbours: their distances are computed encrypted, the client takes the nearest."""

import numpy as np
import pytest
from sklearn import neighbors
from sklearn.datasets import load_iris, make_blobs

from fhe_estimators import KNeighborsClassifier, KNeighborsRegressor

X, Y = load_iris(return_X_y=True)
TRAIN, TEST = slice(0, None, 2), slice(1, None, 2)
SIMULATED_AND_ENCRYPTED = [
    pytest.param("simulate", marks=pytest.mark.simulate),
    pytest.param("execute", marks=pytest.mark.fhe),
]


@pytest.mark.parametrize("weights", ["uniform", "distance", None])
@pytest.mark.parametrize("n_neighbors", [1, 4, 15])
def test_results_are_those_of_the_parent(weights, n_neighbors):
    options = {"n_neighbors": n_neighbors, "weights": weights}
    X_train, X_test = X[TRAIN], X[TEST]
    ours = KNeighborsClassifier(**options, n_bits=16).fit(X_train, Y[TRAIN])
    theirs = neighbors.KNeighborsClassifier(**options).fit(X_train, Y[TRAIN])
    # Many distances are the same: of those either may take any.
    assert np.mean(ours.predict(X_test) == theirs.predict(X_test)) > 0.97
    found, expected = (m.predict_proba(X_test) for m in (ours, theirs))
    assert np.mean(np.abs(found - expected) > 0.05) < 0.05
    targets = X_train @ [[1, 0], [2, 1], [3, 0], [4, 5]]
    for y in (targets, targets[:, 0]):
        ours = KNeighborsRegressor(**options, n_bits=16).fit(X_train, y)
        theirs = neighbors.KNeighborsRegressor(**options).fit(X_train, y)
        found, expected = (m.predict(X_test) for m in (ours, theirs))
        assert found.shape == expected.shape
        assert np.mean(np.abs(found - expected) > 0.2 * np.std(y)) < 0.05


def test_neighbours_and_distances():
    ours = KNeighborsClassifier(n_bits=16).fit(X[TRAIN], Y[TRAIN])
    theirs = neighbors.KNeighborsClassifier().fit(X[TRAIN], Y[TRAIN])
    found, places = ours.kneighbors(X[TEST], 3)
    expected, _ = theirs.kneighbors(X[TEST], 3)
    np.testing.assert_allclose(found, expected, atol=0.05)
    assert places.shape == (75, 3)
    np.testing.assert_array_equal(ours.kneighbors()[1], theirs.kneighbors()[1])
    with pytest.raises(ValueError, match="n_neighbors = 76"):
        ours.kneighbors(X[TEST], 76)


def test_weights_of_rows_that_are_the_same():
    """The neighbour at distance zero decides, as in the parent."""
    rows = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    model = KNeighborsClassifier(3, weights="distance", n_bits=16).fit(rows, [0, 1, 1])
    assert model.predict_proba(rows)[0, 0] > 0.99


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"p": 1}, "p=1 of KNeighborsClassifier"),
        ({"metric": "manhattan"}, "'metric' parameter"),
        ({"metric_params": {"w": 1}}, "'metric_params' parameter"),
        ({"weights": np.reciprocal}, "'weights' parameter"),
        ({"reveal": "nothing"}, "'reveal' parameter"),
        ({"n_neighbors": 151}, "n_neighbors=151"),
    ],
    ids=str,
)
def test_what_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        KNeighborsClassifier(**options).fit(X, Y)


def test_several_labels_are_refused():
    with pytest.raises(ValueError, match="one label for each row"):
        KNeighborsClassifier().fit(X, np.column_stack([Y, Y]))


# Labels alone ----------------------------------------------------------------------------

FEW = slice(0, None, 4)


@pytest.mark.parametrize("n_neighbors", [1, 3])
def test_labels_are_those_of_the_parent(n_neighbors):
    X, y = make_blobs(80, centers=3, n_features=3, cluster_std=3, random_state=0)
    model = KNeighborsClassifier(n_neighbors, reveal="labels").fit(X[::4], y[::4])
    theirs = neighbors.KNeighborsClassifier(n_neighbors).fit(X[::4], y[::4])
    rows = X[1::2]
    assert np.mean(model.predict(rows) == theirs.predict(rows)) > 0.9
    shares = model.predict_proba(rows)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert set((shares * n_neighbors).round(9).ravel()) <= set(range(n_neighbors + 1))
    assert model.quantize_input(rows).max() < 2**4
    assert not model.__sklearn_tags__().fhe_tags.levelled
    # A twin needs no rows, and a changed model is lowered again.
    twin = KNeighborsClassifier.from_sklearn_model(theirs, reveal="labels")
    np.testing.assert_array_equal(twin.predict(rows), model.predict(rows))
    twin.reveal = "distances"
    assert twin.kneighbors(rows)[1].shape == (len(rows), n_neighbors)


def test_what_labels_alone_refuse():
    model = KNeighborsClassifier(2, reveal="labels").fit(X[FEW], Y[FEW])
    with pytest.raises(ValueError, match=r"reveal='labels' keeps distances"):
        model.kneighbors(X[:2])
    assert model.kneighbors()[0].shape == (38, 2)
    with pytest.raises(ValueError, match=r"weights='distance'.*weights='uniform'"):
        KNeighborsClassifier(reveal="labels", weights="distance").fit(X[FEW], Y[FEW])
    with pytest.raises(ValueError, match=r"up to 64; got 150\. .*KMeans"):
        KNeighborsClassifier(reveal="labels").fit(X, Y)
    with pytest.raises(ValueError, match=r"n_neighbors=6 .* got 6\."):
        KNeighborsClassifier(6, reveal="labels").fit(X[::25], Y[::25])
    with pytest.raises(ValueError, match="'reveal' parameter"):
        KNeighborsRegressor(reveal="labels").fit(X[FEW], Y[FEW])


@pytest.mark.parametrize("mode", SIMULATED_AND_ENCRYPTED)
def test_labels_alone_encrypted(mode):
    model = KNeighborsClassifier(1, reveal="labels", n_bits=3, p_error=2**-20)
    model.fit(X[::24, 2:], Y[::24])
    rows = X[[1, 71, 143], 2:]
    found = model.predict_proba(rows, fhe=mode)
    np.testing.assert_array_equal(found, model.predict_proba(rows))
    assert len(np.unique(found, axis=0)) == 3


# Distances -------------------------------------------------------------------------------


@pytest.mark.fhe
def test_five_hundred_rows_encrypted():
    rows, y = make_blobs(500, n_features=10, centers=4, random_state=0)
    model = KNeighborsClassifier().fit(rows, y)
    model.compile()
    assert model.fhe_circuit.programmable_bootstrap_count == 0
    some = rows[:2] + 0.1
    np.testing.assert_array_equal(
        model.predict_proba(some, fhe="execute"), model.predict_proba(some)
    )
    encrypted = model.kneighbors(some, fhe="execute")
    np.testing.assert_array_equal(encrypted, model.kneighbors(some))
