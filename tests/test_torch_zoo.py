"""Modules of torch of every kind, exported at several opsets."""

import json
import os
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from fhe_estimators.core.frontends import torch as frontend
from fhe_estimators.core.frontends.onnx import with_sizes
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import kinds_of
from fhe_estimators.core.quantized_module import RoundingOptions
from fhe_estimators.exceptions import UnsupportedOperatorError
from fhe_estimators.torch import compile_torch_model
from tests.core.operators.refusals import EXPECTED_REFUSALS, OTHER_RESULTS
from tests.zoo import OPSETS, ZOO
from tools.networks import PAGE, page

#: What exporters of old forms say.
pytestmark = pytest.mark.filterwarnings("ignore")
#: Errors of outputs that are allowed, in standard deviations, by the bits of all parts.
ERRORS = {8: 0.1, 6: 0.3}
#: Errors and look-ups of each module: what the page says.
FIGURES = Path(__file__).with_name("zoo_figures.json")
WORKING = [name for name, entry in ZOO.items() if not entry.refused]
#: One of each kind is simulated by default; all of them at night.
SIMULATED = {
    *("GELU", "Softmax", "GLU", "maximum", "product", "cumsum", "concatenation"),
    *("LayerNorm", "Conv2d, reflected", "ConvTranspose2d", "MaxPool2d", "GroupNorm"),
    *("Upsample, bilinear", "ResNet block", "squeeze and excitation", "U-Net"),
    *("temporal convolutions", "GRU", "LSTM", "MLP-Mixer", "einsum of two"),
    *("causal attention", "MultiheadAttention", "TransformerEncoderLayer"),
}


def built(name):
    """Return a module, rows, and what it gives for them."""
    entry = ZOO[name]
    torch.manual_seed(0)
    rows = np.random.default_rng(0).normal(size=(60, *entry.shape)).astype(np.float32)
    net = entry.build()
    with torch.no_grad():
        net(torch.from_numpy(rows))
        meant = net.eval()(torch.from_numpy(rows)).numpy()
    return net, rows, meant


def exported(net, rows, opset, monkeypatch):
    monkeypatch.setattr(frontend, "OPSET", opset)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return frontend.export_torch(net, (rows,))


def lowered(model, rows, n_bits=8):
    return to_quantized_module(
        with_sizes(model, [rows.shape]),
        Calibration([rows]),
        Options(
            BitWidths(n_bits, n_bits),
            ranges="least_error",
            rounding=RoundingOptions("exact", n_bits),
            accumulator_range="calibrated",
        ),
    )


def look_ups(graph):
    """Return how many tables a row takes, and how many of one bit to round in front."""
    kind_of, found = kinds_of(graph), Counter()
    for node in graph:
        number = graph.value(node.outputs[0]).row_size
        found["tables"] += number * bool(kind_of(node).bootstraps)
        found["removed"] += number * kind_of(node).removed_bits(node)
    return dict(found)


def test_there_are_many():
    assert len(ZOO) >= 118
    assert len(WORKING) >= 115
    assert set(WORKING) >= SIMULATED


@pytest.mark.parametrize("name", [n for n, e in ZOO.items() if "size" not in e.refused])
def test_float_meaning_at_all_opsets(name, monkeypatch):
    net, rows, meant = built(name)
    for opset in OPSETS:
        if opset < ZOO[name].since:
            continue
        model = exported(net, rows, opset, monkeypatch)
        assert model.opset_import[0].version == opset
        np.testing.assert_allclose(NumpyModule(model)(rows), meant, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", WORKING)
def test_accuracy(name, monkeypatch):
    """As far as the bits allow, and as the page says."""
    net, rows, meant = built(name)
    model = exported(net, rows, 17, monkeypatch)
    figures = {}
    for n_bits, most in ERRORS.items():
        module = lowered(model, rows, n_bits)
        found = module(rows)
        assert found.shape == meant.shape
        error = float(np.sqrt(np.mean((found - meant) ** 2)) / meant.std())
        assert error <= most
        figures[str(n_bits)] = round(error, 4)
    figures |= look_ups(module.graph)
    known = json.loads(FIGURES.read_text())
    if os.environ.get("WRITE_PAGES"):
        ordered = {n: ({**known, name: figures}).get(n) for n in WORKING}
        FIGURES.write_text(json.dumps(ordered, indent=1) + "\n")
        return
    for key, value in figures.items():
        # Another processor adds up in another order: an integer may be rounded otherwise.
        np.testing.assert_allclose(value, known[name][key], rtol=0.2, atol=0.005)


@pytest.mark.simulate
@pytest.mark.parametrize(
    "name",
    [
        name if name in SIMULATED else pytest.param(name, marks=pytest.mark.nightly)
        for name in WORKING
    ],
)
def test_simulated(name, monkeypatch):
    """The circuit gives what the integers in clear give; few bits, which compile fast."""
    net, rows, _ = built(name)
    module = lowered(exported(net, rows, 17, monkeypatch), rows, 3)
    module.compile(p_error=2**-20)
    found = module.forward(rows[:1], fhe="simulate")
    np.testing.assert_array_equal(found, module(rows[:1]))


@pytest.mark.nightly
@pytest.mark.simulate
@pytest.mark.parametrize("name", WORKING)
def test_simulated_as_compiled_by_default(name):
    """All rows, with the bits that users get."""
    net, rows, _ = built(name)
    module = compile_torch_model(net, rows)
    np.testing.assert_array_equal(module.forward(rows, fhe="simulate"), module(rows))


@pytest.mark.parametrize("name", [n for n, entry in ZOO.items() if entry.refused])
def test_refused(name, monkeypatch):
    net, rows, _ = built(name)
    with pytest.raises(UnsupportedOperatorError) as error:
        lowered(exported(net, rows, 17, monkeypatch), rows)
    assert ZOO[name].refused in str(error.value)


def test_page_is_up_to_date():
    figures = json.loads(FIGURES.read_text())
    text = page(ZOO, figures, EXPECTED_REFUSALS, OTHER_RESULTS)
    if os.environ.get("WRITE_PAGES"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text
