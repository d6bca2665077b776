"""Some columns of a sum of tables give what all of them give there."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris

from fhe_estimators import (
    GradientBoostingClassifier,
    LogisticRegression,
    RandomForestClassifier,
    RandomForestRegressor,
)
from fhe_estimators.core.circuit import extremes
from fhe_estimators.core.circuit._shards import shards
from fhe_estimators.core.engine import ConcreteEngine, run_clear

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
