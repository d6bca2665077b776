"""Some columns of a sum of tables give what all of them give there."""

from itertools import pairwise

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.datasets import load_breast_cancer, load_iris
from torch import nn

from fhe_estimators import (
    GradientBoostingClassifier,
    LogisticRegression,
    RandomForestClassifier,
    RandomForestRegressor,
)
from fhe_estimators.core.circuit import Circuit, _circuit, extremes
from fhe_estimators.core.circuit._shards import Divided, shards
from fhe_estimators.core.engine import ClearEngine, ConcreteEngine, dumped, run_clear
from fhe_estimators.torch import compile_torch_model
from tests.test_secrets import secret_of

MODELS = {
    "forest": RandomForestClassifier(6, max_depth=4, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=12, random_state=0),
    "regression": RandomForestRegressor(4, max_depth=4, random_state=0),
}


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    X, y = load_breast_cancer(return_X_y=True)
    return MODELS[request.param].fit(X, y), X


@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_shards_give_what_the_whole_gives(fitted, count):
    model, X = fitted
    module = model.quantized_module
    q_rows = model.quantize_input(X).astype(np.int64)
    (whole,) = run_clear(module.graph, (q_rows,))
    found = shards(module.graph, count)
    assert sorted(c for shard in found for c in shard.columns) == list(
        range(whole.shape[1])
    )
    assert len(found) == min(count, whole.shape[1])
    for shard in found:
        (part,) = run_clear(shard.graph, (q_rows[:, shard.indices],))
        np.testing.assert_array_equal(part, whole[:, shard.columns])


@pytest.mark.parametrize(("sizes", "n_shards"), [((4, 8, 3), 2), ((4, 8, 8, 3), 0)])
def test_tables_of_one_layer_are_divided(sizes, n_shards):
    layers = [layer for ends in pairwise(sizes) for layer in (nn.Linear(*ends), nn.ReLU())]
    rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    net = nn.Sequential(*layers[:-1])
    module = compile_torch_model(net, rows, n_bits=3, rounding_bits=3)
    found = shards(module.graph, 2)
    assert len(found) == n_shards
    q_rows = module.quantize_input(rows)
    (whole,) = run_clear(module.graph, (q_rows,))
    for shard in found:
        (part,) = run_clear(shard.graph, (q_rows[:, shard.indices],))
        np.testing.assert_array_equal(part, whole[:, shard.columns])


@pytest.mark.simulate
def test_shards_take_keys_and_ciphertexts_of_the_whole(fitted):
    model, _ = fitted
    circuit = model.compile()
    (program,) = circuit._programs.values()
    whole = program.specification
    for shard in shards(circuit.graph, 2):
        engine = ConcreteEngine(family=whole)
        part = engine.compile(shard.graph, 1, extremes(shard.graph), circuit.p_error)
        assert part.specification.keyset == whole.keyset
        for side in ("inputs", "outputs"):
            (here,), (there,) = (getattr(s, side) for s in (part.specification, whole))
            for what in ("encoding", "encryption"):
                kinds = [gate["typeInfo"]["lweCiphertext"][what] for gate in (here, there)]
                assert kinds[0] == kinds[1]


def test_what_is_no_sum_of_tables_has_none():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(solver="newton-cholesky").fit(X, y)
    assert shards(model.quantized_module.graph, 2) == []


def divided_calls(monkeypatch, few=1):
    """Have small circuits divided, too; return the rows that are."""
    calls, map_divided = [], _circuit.map_divided

    def noted(divided, rows, *args):
        calls.append((len(divided), len(rows)))
        return map_divided(divided, rows, *args)

    monkeypatch.setattr(_circuit, "MANY_TABLES", few)
    monkeypatch.setattr(_circuit, "map_divided", noted)
    return calls


@pytest.mark.usefixtures("own_workers")
def test_few_rows_are_divided_among_processes(fitted, monkeypatch):
    model, X = fitted
    module = model.quantized_module
    q_rows = model.quantize_input(X[:9])
    circuit = Circuit(module.graph, engine=ClearEngine())
    (whole,) = run_clear(module.graph, (q_rows.astype(np.int64),))
    calls = divided_calls(monkeypatch)
    for n_rows, n_jobs, expected in [(1, 2, 2), (1, 3, 3), (2, 6, 3), (9, 2, 0), (0, 2, 0)]:
        calls.clear()
        with parallel_config("loky", n_jobs=n_jobs):
            found = circuit.encrypt_run_decrypt(q_rows[:n_rows])
        np.testing.assert_array_equal(found, whole[:n_rows])
        columns = whole.shape[1]
        shares = min(expected, columns)
        assert calls == ([(shares, n_rows)] if shares > 1 else [])


def test_light_rows_are_not_divided(fitted, monkeypatch):
    model, _ = fitted
    circuit = Circuit(model.quantized_module.graph, engine=ClearEngine())
    tables = circuit.programmable_bootstrap_count
    calls = divided_calls(monkeypatch, few=tables + 1)
    assert circuit._divided(1, 2) is None
    monkeypatch.setattr(_circuit, "MANY_TABLES", tables)
    divided = circuit._divided(1, 2)
    assert (divided is None) == (circuit.graph.outputs[0].shape[1] == 1)
    assert not calls


@pytest.mark.fhe
@pytest.mark.slow
@pytest.mark.usefixtures("own_workers")
def test_encrypted_rows_are_divided_among_processes(monkeypatch):
    X, y = load_breast_cancer(return_X_y=True)
    model = GradientBoostingClassifier(n_estimators=12, random_state=0).fit(X, y)
    calls = divided_calls(monkeypatch)
    for row in (X[:1], X[19:20]):
        q_row = model.quantize_input(row)
        expected = model.quantized_module.quantized_forward(q_row)
        with parallel_config("loky", n_jobs=2):
            found = model.quantized_module.quantized_forward(q_row, fhe="execute")
        np.testing.assert_array_equal(found, expected)
    assert calls == [(2, 1)] * 2
    # The keys are those of rows that are not divided, and new ones are, too.
    model.fhe_circuit.keygen(force=True)
    with parallel_config("loky", n_jobs=2):
        labels = model.predict(X[:1], fhe="execute")
    assert labels == model.predict(X[:1])


@pytest.mark.fhe
def test_keys_are_sent_once_for_all_shards():
    X, y = load_breast_cancer(return_X_y=True)
    model = GradientBoostingClassifier(n_estimators=12, random_state=0).fit(X, y)
    circuit = model.compile()
    circuit.keygen()
    (program,) = circuit._programs.values()

    def sharing(graph):
        return circuit._engine.sharing(program, graph, extremes(graph), circuit.p_error)

    divided = Divided.of(shards(circuit.graph, 2), sharing)
    keys = program._client.evaluation_keys.serialize()
    sent = dumped(divided.part())
    assert sent.count(keys[:4096]) == 1
    assert len(sent) < 1.1 * len(keys)
    secret = secret_of(program)
    assert secret not in sent
