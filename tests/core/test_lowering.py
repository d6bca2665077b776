"""The five stages: every model takes them, each can be run alone and watched."""

import logging

import numpy as np
import pytest
from sklearn.datasets import load_wine
from torch import nn

from fhe_estimators import DecisionTreeClassifier, GaussianNB, LogisticRegression
from fhe_estimators.core import lowering
from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.frontends.torch import export_torch
from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, Parts, stages
from fhe_estimators.core.quantized_module import QuantizedModule
from fhe_estimators.core.trees import Ensemble

X, Y = load_wine(return_X_y=True)
NAMES = ["read", "divide", "calibrate", "quantize", "compile"]


def network():
    net = nn.Sequential(nn.Linear(13, 3), nn.ReLU(), nn.Linear(3, 2))
    return export_torch(net.double(), [X[:2]])


MODELS = {
    "linear": lambda: LogisticRegression(solver="newton-cholesky").fit(X, Y).onnx_model_,
    "prologue": lambda: GaussianNB().fit(X, Y).onnx_model_,
    "tree": lambda: DecisionTreeClassifier(max_depth=2).fit(X, Y).onnx_model_,
    "network": network,
}


@pytest.mark.simulate
@pytest.mark.parametrize("kind", MODELS)
def test_every_model_takes_five_stages(kind):
    options = Options(BitWidths(4, 4), p_error=2**-20)
    found = dict(stages(MODELS[kind](), Calibration([X]), options))
    assert list(found) == NAMES
    kinds = [Graph, Parts, Calibration, QuantizedModule, Circuit]
    assert [type(result) for result in found.values()] == kinds
    assert isinstance(found["divide"].encrypted, Ensemble) == (kind == "tree")
    assert (found["divide"].before is not None) == (kind == "prologue")
    assert found["compile"].p_error == 2**-20
    q = found["quantize"].quantize_input(X[:4])
    expected = found["quantize"].quantized_forward(q)
    np.testing.assert_array_equal(found["compile"].simulate(q), expected)


def test_each_stage_can_be_run_alone():
    options, calibration = Options(BitWidths(6, 6)), Calibration([X])
    graph = lowering.read(MODELS["prologue"]())
    parts = lowering.divide(graph)
    encoded = lowering.calibrate(parts, calibration, options)
    assert encoded.inputs[0].shape[0] == len(X)
    assert len(encoded.ranges) == len(encoded.inputs)
    module = lowering.quantize(parts, encoded, options)
    whole = lowering.to_quantized_module(MODELS["prologue"](), calibration, options)
    assert str(module) == str(whole)
    np.testing.assert_array_equal(module(X), whole(X))


def test_a_stage_is_computed_when_it_is_asked_for(monkeypatch):
    def never(*_):
        raise AssertionError

    found = stages(MODELS["linear"](), Calibration([X]))
    monkeypatch.setattr(lowering, "quantize", never)
    assert [next(found)[0] for _ in range(3)] == NAMES[:3]
    with pytest.raises(AssertionError):
        next(found)


def test_rows_of_weight_zero_are_dropped():
    weight = np.ones(len(X))
    weight[3] = 0
    wrong = X.copy()
    wrong[3] = 1e12
    found = [
        lowering.to_quantized_module(MODELS["linear"](), calibration)(X)
        for calibration in (
            Calibration([np.delete(X, 3, axis=0)]),
            Calibration([wrong], weight),
        )
    ]
    np.testing.assert_array_equal(*found)


def test_ranges_in_front_of_a_prologue_are_those_of_bits_of_inputs():
    """However few bits results of tables have."""
    nodes = (Node("Tanh", ("x",), ("t",)),)
    before = Graph(nodes, (Value("x", (None, 2)),), (Value("t", (None, 2)),))
    parts = Parts(before, Graph((), before.outputs, before.outputs), None)
    rows = np.random.default_rng(0).normal(size=(800, 2))
    found = [
        lowering.calibrate(parts, Calibration([rows]), Options(bits)).ranges[0]
        for bits in (BitWidths(8, 8), BitWidths(2, 8, model_inputs=8))
    ]
    np.testing.assert_array_equal(found[0].high, found[1].high)


@pytest.mark.parametrize("kind", MODELS)
def test_stages_are_logged_without_rows(kind, caplog):
    model, rows = MODELS[kind](), X + 0.123456789
    with caplog.at_level(logging.DEBUG, "fhe_estimators.core.lowering"):
        module = lowering.to_quantized_module(model, Calibration([rows]))
    text = [record.getMessage() for record in caplog.records if record.name.endswith("g")]
    assert [line.partition(":")[0] for line in text] == NAMES[:4]
    assert str(module) in text[3]
    assert "123456789" not in "".join(text)


def test_wrong_options():
    with pytest.raises(ValueError, match="p_error"):
        Options(p_error=2)
