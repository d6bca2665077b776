"""What prediction with neural networks on encrypted rows costs, beside the peer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from benchmarks import data
from benchmarks.costs import P_ERROR, Encrypted, costs, exactness
from benchmarks.report import Row, at_least, table
from benchmarks.tools import Setup, chosen, progress
from fhe_estimators.neural_network import NeuralNetClassifier

_SEEDS = 5
_N_ROWS = 100


@dataclass(frozen=True)
class Network:
    """A network of one hidden layer, and the bits of its weights and activations."""

    data: str
    n_hidden: int
    n_w_bits: int
    n_a_bits: int
    #: What else ours is given.
    ours: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.data}, {self.n_hidden} hidden"

    def estimator(self, seed: int) -> NeuralNetClassifier:
        return NeuralNetClassifier(
            hidden_layer_sizes=[self.n_hidden],
            n_w_bits=self.n_w_bits,
            n_a_bits=self.n_a_bits,
            p_error=P_ERROR,
            random_state=seed,
            **self.ours,
        )

    def peer_parameters(self, n_features: int) -> dict[str, Any]:
        """Return the same of Concrete ML's, with as many epochs as ours."""
        return {
            "module__n_layers": 2,
            "module__n_hidden_neurons_multiplier": self.n_hidden / n_features,
            "module__n_w_bits": self.n_w_bits,
            "module__n_a_bits": self.n_a_bits,
            "max_epochs": 100,
            "batch_size": 64,
        }


#: Sums of 4 bits for the activations, wider ones for the scores, which no table reads.
_NARROW = {"n_accum_bits": 4, "n_out_accum_bits": 6, "neuron_sparsity": 0.4}
_NETWORKS = (
    Network("breast_cancer", 30, 3, 2),
    Network("breast_cancer", 30, 4, 4, {"n_accum_bits": 7, "rounding": "exact"}),
    Network("digits", 64, 3, 2, _NARROW),
    Network(
        *("digits", 64, 4, 4),
        {**_NARROW, "n_accum_bits": 7, "n_out_accum_bits": 9, "rounding": "exact"},
    ),
)


def networks(setup: Setup) -> list[Row]:
    """One encrypted row and the mean accuracy of five splits, for equal shape and bits.

    Bits are those of weights and of activations. Ratios are those of what the server takes,
    and of the whole.
    """
    rows: list[Row] = []
    for network in chosen(_NETWORKS):
        found = _compared(setup, network)
        progress(table(found))
        rows += found
    return rows


def _compared(setup: Setup, network: Network) -> list[Row]:
    X, y = _data(network)()
    splits = [_split(X, y, seed) for seed in range(_SEEDS)]
    bits = f"{network.n_w_bits} and {network.n_a_bits}"
    about = {"network": str(network), "bits": bits}
    ours = Encrypted(network.estimator(0), *splits[0][:2])
    accuracy = np.mean(
        [
            network.estimator(seed).fit(X, y).score(X_test, y_test)
            for seed, (X, y, X_test, y_test) in enumerate(splits)
        ]
    )
    here = {**about, "side": "ours", "accuracy": float(accuracy)}
    if setup.peer is None:
        (taken,) = setup.alternate(ours.one_row)
        return [costs(here, ours.facts, taken)]
    parameters = network.peer_parameters(X.shape[1])
    scores = setup.ask("network_scores", splits=splits, parameters=parameters)
    facts = setup.ask(
        "prepare_network",
        X=splits[0][0],
        y=splits[0][1],
        parameters=parameters,
        p_error=P_ERROR,
    )
    setup.ask("one_row")
    taken, theirs = setup.alternate(ours.one_row, partial(setup.ask, "one_row"))
    there = {**about, "side": "peer", "accuracy": float(np.mean(scores))}
    there = costs(there, facts, theirs, taken)
    there["goal"] = at_least(4, there["total ratio"], "x")
    return [costs(here, ours.facts, taken), there]


def _data(network: Network) -> Callable[[], data.Data]:
    load: Callable[[], data.Data] = getattr(data, network.data)
    return load


def _split(X: np.ndarray, y: np.ndarray, seed: int) -> tuple[np.ndarray, ...]:
    X, X_test, y, y_test = train_test_split(X, y, random_state=seed, stratify=y)
    return X, y, X_test, y_test


def network_exactness(setup: Setup) -> list[Row]:
    """Encrypted rows whose results are the clear integers, for each rounding."""
    X, y = data.breast_cancer()
    rows: list[Row] = []
    for rounding in (None, "exact", "approximate"):
        options = {"n_accum_bits": 8 if rounding else 4, "rounding": rounding}
        model = Network("breast_cancer", 16, 3, 3, options).estimator(0).fit(X, y)
        model.compile().keygen()
        row = exactness(model.quantized_module_, X[:_N_ROWS], labels=True)
        row = {"rounding": str(rounding), **row}
        row["goal"] = (
            at_least(99, row["same label"])
            if rounding == "approximate"
            else at_least(_N_ROWS, row["equal"])
        )
        progress(table([row]))
        rows.append(row)
    return rows
