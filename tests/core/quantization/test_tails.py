"""Input ranges that leave out long tails."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, Parts, quantize
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantization import InputRange, ranges_by_outputs
from fhe_estimators.core.quantized_module import deviation
from fhe_estimators.torch import compile_torch_model

GENERATOR = np.random.default_rng(0)
LONG = np.exp(1.5 * GENERATOR.normal(size=(600, 3)))
SHORT = GENERATOR.uniform(-1, 1, size=(600, 3))
BITS = BitWidths(4, 4)


def graph(n_features=3):
    """Return a graph whose outputs are bounded: tails do not matter to them."""
    weights = np.random.default_rng(1).normal(size=(n_features, 4))
    nodes = (Node("MatMul", ("x", "w"), ("h",)), Node("Sigmoid", ("h",), ("y",)))
    x, y = Value("x", (None, n_features)), Value("y", (None, 4))
    return Graph(nodes, (x,), (y,), {"w": weights})


def test_long_tails_are_left_out_where_outputs_gain():
    usual = InputRange.of(LONG, BITS.of_inputs)
    (found,) = ranges_by_outputs(graph(), [LONG], BITS, [usual], deviation)
    assert (found.high < 0.5 * usual.high).all()


def test_ranges_of_short_tails_stay():
    """At any number of bits that is not tiny: they have a margin for other numbers."""
    assert ranges_by_outputs(graph(), [SHORT], BitWidths(6, 6), None, deviation) is None
    usual = [InputRange.of(SHORT, 6)]
    assert ranges_by_outputs(graph(), [SHORT], BitWidths(6, 6), usual, deviation) is usual


@settings(deadline=None)
@given(st.integers(2, 6), st.floats(0, 2), st.integers(0, 100))
def test_outputs_err_half_as_much_or_ranges_stay(bits, tail, seed):
    rows = np.exp(tail * np.random.default_rng(seed).normal(size=(200, 3)))
    widths = BitWidths(bits, bits)
    exact = NumpyModule(graph())(rows)
    errors = []

    def error(found, meant):
        np.testing.assert_array_equal(meant, exact)
        errors.append(deviation(found, meant))
        return errors[-1]

    found = ranges_by_outputs(graph(), [rows], widths, None, error)
    usual, *others = errors
    if found is None:
        assert usual <= 0.05 or min(others) >= usual / 2
    else:
        assert min(others) < usual / 2


def test_ranges_whose_outputs_are_not_defined_are_not_compared():
    """Neither the usual ones nor one of the others hides those that are."""
    errors = iter([np.nan, np.nan, 0.5, 0.3, np.nan, 0.4, 0.6, 0.7])

    def error(found, meant):
        return next(errors)

    (found,) = ranges_by_outputs(graph(), [LONG], BITS, None, error)
    (expected,) = InputRange.of_most(LONG, [0.99])
    np.testing.assert_array_equal(found.high, expected.high)


@given(arrays(float, (40, 2), elements=st.integers(-5, 5)), st.floats(0.5, 1))
def test_ranges_of_most_numbers(rows, part):
    (found,) = InputRange.of_most(rows, [part])
    for column, low, high in zip(rows.T, found.low, found.high, strict=True):
        distinct = np.unique(column)
        for beyond in (distinct < low, distinct > high):
            assert np.count_nonzero(beyond) <= (1 - part) * len(distinct)
        assert {low, high} <= set(distinct)
    (twice,) = InputRange.of_most(np.repeat(rows, 2, axis=0), [part])
    np.testing.assert_array_equal((twice.low, twice.high), (found.low, found.high))


def test_flags_stay():
    rows = np.zeros((1000, 1))
    rows[7] = 1
    (found,) = InputRange.of_most(rows, [0.9])
    assert (found.low, found.high) == (0, 1)


def test_what_most_rows_have_is_no_tail():
    rows = np.zeros((600, 1))
    rows[:30, 0] = np.random.default_rng(0).uniform(10, 99, 30)
    for sign in (1, -1):
        (found,) = InputRange.of_most(sign * rows, [0.9])
        assert 0 in (found.low, found.high)


@pytest.fixture(scope="module")
def trained():
    """Return a network that was trained on long tails, and its labels."""
    y = torch.from_numpy((np.log(LONG).sum(axis=1) > 0).astype(int))
    X = torch.from_numpy(LONG).float()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Linear(3, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2)
        )
        optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
        for _ in range(300):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(X), y).backward()
            optimizer.step()
    return net


def test_labels_of_long_tails(trained):
    """With the usual ranges 4 bits change every fourth label.

    What training ends at differs with the processor: .875 to .92 over nets.
    """
    module = compile_torch_model(trained, LONG.astype(np.float32), n_bits=4)
    meant = trained(torch.from_numpy(LONG).float()).argmax(dim=1).numpy()
    assert np.mean(module.forward(LONG).argmax(axis=1) == meant) > 0.85
    simulated = module.forward(LONG[:50], fhe="simulate")
    np.testing.assert_array_equal(simulated, module.forward(LONG[:50]))


@pytest.mark.simulate
@pytest.mark.parametrize("outlier", [1e30, 1e155, 1e300])
def test_one_number_that_is_far_out(trained, outlier):
    """No number of numpy's overflows, and the other rows keep most of their labels."""
    rows = np.clip(LONG, 0, 20)
    rows[0] = outlier
    module = compile_torch_model(trained, rows, n_bits=4)
    found = module.forward(rows[:50])
    np.testing.assert_array_equal(module.forward(rows[:50], fhe="simulate"), found)
    others = rows[1:]
    meant = trained(torch.from_numpy(others).float()).argmax(dim=1).numpy()
    assert np.mean(module.forward(others).argmax(axis=1) == meant) > 0.8


@pytest.mark.parametrize("from_rows", [False, True])
def test_only_ranges_from_rows_are_replaced(from_rows):
    wide = InputRange(np.full(3, -100.0), np.full(3, 100.0))
    outputs = graph().outputs
    parts = Parts(None, graph(), Graph((), outputs, outputs))
    calibration = Calibration([LONG], None, [wide], from_rows)
    module = quantize(parts, calibration, Options(BITS))
    (quantizer,) = module.input_quantizers
    assert bool(quantizer.dequant(quantizer.high).max() < 50) is from_rows
