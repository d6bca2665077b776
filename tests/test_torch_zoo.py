"""Modules of torch of every kind, exported at several opsets."""

import os
import warnings

import numpy as np
import pytest
import torch

from fhe_estimators.core.frontends import torch as frontend
from fhe_estimators.core.frontends.onnx import with_sizes
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantized_module import RoundingOptions
from fhe_estimators.exceptions import UnsupportedOperatorError
from tests.core.operators.refusals import EXPECTED_REFUSALS, OTHER_RESULTS
from tests.zoo import OPSETS, ZOO
from tools.networks import PAGE, page

#: What exporters of old forms say.
pytestmark = pytest.mark.filterwarnings("ignore")
#: Errors of outputs that are allowed, in standard deviations, with 8 bits in tables.
ERROR = 0.3


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


def lowered(model, rows, n_bits=8, kept_bits=8):
    return to_quantized_module(
        with_sizes(model, [rows.shape]),
        Calibration([rows]),
        Options(
            BitWidths(n_bits, n_bits),
            ranges="least_error",
            rounding=RoundingOptions("exact", kept_bits),
        ),
    )


def test_there_are_many():
    assert len(ZOO) >= 110
    assert sum(not entry.refused for entry in ZOO.values()) >= 100


@pytest.mark.parametrize("name", [n for n, e in ZOO.items() if "size" not in e.refused])
def test_float_meaning_at_all_opsets(name, monkeypatch):
    net, rows, meant = built(name)
    for opset in OPSETS:
        if opset < ZOO[name].since:
            continue
        model = exported(net, rows, opset, monkeypatch)
        assert model.opset_import[0].version == opset
        np.testing.assert_allclose(NumpyModule(model)(rows), meant, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", [n for n, entry in ZOO.items() if not entry.refused])
def test_accuracy(name, monkeypatch):
    """As far as the bits allow."""
    net, rows, meant = built(name)
    module = lowered(exported(net, rows, 17, monkeypatch), rows, ZOO[name].n_bits)
    found = module(rows)
    assert found.shape == meant.shape
    assert np.sqrt(np.mean((found - meant) ** 2)) <= ERROR * meant.std()


@pytest.mark.simulate
@pytest.mark.parametrize("name", [n for n, entry in ZOO.items() if not entry.refused])
def test_simulated(name, monkeypatch):
    """The circuit gives what the integers in clear give; few bits, which compile fast."""
    net, rows, _ = built(name)
    module = lowered(exported(net, rows, 17, monkeypatch), rows, 3, 3)
    module.compile(p_error=2**-20)
    found = module.forward(rows[:1], fhe="simulate")
    np.testing.assert_array_equal(found, module(rows[:1]))


@pytest.mark.parametrize("name", [n for n, entry in ZOO.items() if entry.refused])
def test_refused(name, monkeypatch):
    net, rows, _ = built(name)
    with pytest.raises(UnsupportedOperatorError) as error:
        lowered(exported(net, rows, 17, monkeypatch), rows)
    assert ZOO[name].refused in str(error.value)


def test_page_is_up_to_date():
    text = page(ZOO, EXPECTED_REFUSALS, OTHER_RESULTS)
    if os.environ.get("WRITE_PAGES"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text
