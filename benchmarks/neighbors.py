"""What neighbours cost: distances to many rows, and labels without distances."""

from __future__ import annotations

from functools import partial

import numpy as np
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier as SklearnNeighbors
from sklearn.preprocessing import StandardScaler

from benchmarks.report import Row, at_most
from benchmarks.tools import Setup, progress, seconds
from fhe_estimators import KNeighborsClassifier

#: Rows of training, and bits of a feature.
_ROWS, _BITS = (100, 500, 1000), (8, 12)
#: Name, loader, principal components, rows of training, neighbours.
_LABELS = (
    ("iris", datasets.load_iris, 2, 7, 1),
    ("iris", datasets.load_iris, 2, 50, 1),
    ("iris", datasets.load_iris, 4, 20, 1),
    ("iris", datasets.load_iris, 4, 50, 1),
    ("wine", datasets.load_wine, 4, 50, 1),
    ("breast cancer", datasets.load_breast_cancer, 5, 50, 1),
    ("iris", datasets.load_iris, 4, 7, 3),
    ("iris", datasets.load_iris, 4, 15, 3),
    ("iris", datasets.load_iris, 4, 25, 3),
)
#: Of Concrete ML, which compares distances to seven rows in 22 s.
_PEER_SECONDS_A_ROW = 22 / 7


def neighbors(setup: Setup) -> list[Row]:
    """Time a row against reference rows of ten features, step by step."""
    found: list[Row] = []
    for n_rows in _ROWS:
        X, y = datasets.make_blobs(n_rows, n_features=10, centers=4, random_state=0)
        for n_bits in _BITS:
            progress(f"{n_rows} rows, {n_bits} bits")
            model = KNeighborsClassifier(n_bits=n_bits).fit(X, y)
            circuit, one = model.compile(), X[:1] + 0.1
            model.predict(one, fhe="execute")  # makes keys
            q = model.quantize_input(one)
            encrypted = circuit.encrypt(q)
            results = circuit.run(encrypted)
            whole, encrypt, run, decrypt = setup.alternate(
                partial(seconds, partial(model.predict, one, fhe="execute"), 5),
                partial(seconds, partial(circuit.encrypt, q), 5),
                partial(seconds, partial(circuit.run, encrypted), 5),
                partial(seconds, partial(circuit.decrypt, results), 5),
            )
            found.append(
                {
                    "rows": n_rows,
                    "bits": n_bits,
                    "encrypt (ms)": 1e3 * encrypt,
                    "evaluate (ms)": 1e3 * run,
                    "decrypt (ms)": 1e3 * decrypt,
                    "predict (ms)": 1e3 * whole,
                    "goal": at_most(50, 1e3 * whole, " ms") if n_rows == 500 else None,
                }
            )
    return found


def nearest_labels(setup: Setup) -> list[Row]:
    """Time an encrypted row whose distances are compared; all labels are those in clear."""
    found: list[Row] = []
    for name, load, n_features, n_rows, n_neighbors in _LABELS:
        X, y = load(return_X_y=True)
        X = PCA(n_features).fit_transform(StandardScaler().fit_transform(X))
        order = np.random.default_rng(0).permutation(len(X))
        train, test = order[:n_rows], order[n_rows:]
        progress(f"{name}, {n_rows} rows, {n_neighbors} neighbours")
        model = KNeighborsClassifier(n_neighbors, reveal="labels", p_error=2**-40)
        cost = model.fit(X[train], y[train]).compile().cost
        one = X[test[:1]]
        model.predict(one, fhe="execute")  # makes keys
        (taken,) = setup.alternate(partial(_as_in_clear, model, one))
        theirs = SklearnNeighbors(n_neighbors).fit(X[train], y[train])
        most = n_rows * _PEER_SECONDS_A_ROW / 10
        found.append(
            {
                "data": name,
                "features": n_features,
                "rows": n_rows,
                "neighbours": n_neighbors,
                "tables": sum(n for bits, n in cost.tables.items() if bits > 1),
                "of one bit": cost.tables.get(1, 0),
                "estimate (s)": f"{cost.seconds:.2g}",
                "row (s)": taken,
                "same label": np.mean(model.predict(X[test]) == theirs.predict(X[test])),
                "goal": at_most(most, taken, " s"),
            }
        )
    return found


def _as_in_clear(model: KNeighborsClassifier, row: np.ndarray) -> float:
    """Return how long an encrypted row takes."""
    labels: list[np.ndarray] = []
    taken = seconds(lambda: labels.append(model.predict(row, fhe="execute")))
    np.testing.assert_array_equal(labels[0], model.predict(row))
    return taken
