"""Prices that are measured on this machine."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from fhe_estimators import DecisionTreeClassifier, LogisticRegression
from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.engine import MachinePrices, Work, cache_file, run_clear
from fhe_estimators.inspection import CostDisplay, _prices, calibrate_prices, cost

X, Y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 1, 1, 1]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.fhe
def test_costs_are_those_that_were_measured(cache):
    linear, tree = LogisticRegression().fit(X, Y), DecisionTreeClassifier().fit(X, Y)
    before = cost(linear), cost(tree)
    assert before[0].seconds == 0 < before[1].seconds
    assert not list(cache.iterdir())
    found = calibrate_prices(table_bits=[1], p_errors=[0.01])
    assert found == MachinePrices.cached()
    assert found.per_table
    for model, rough in zip((linear, tree), before, strict=True):
        report = cost(model)
        assert report.seconds == found.seconds(model.fhe_circuit.work) > 0
        assert {**vars(report), "seconds": 0} == {**vars(rough), "seconds": 0}
    display = CostDisplay.from_estimator(tree, ax=Figure().subplots())
    assert display.names[-2:] == ["keys made ready", "inputs and results"]
    assert display.seconds.sum() == pytest.approx(cost(tree).seconds)
    # How a model is lowered does not depend on it.
    again = DecisionTreeClassifier().fit(X, Y)
    assert str(again.quantized_module_.graph) == str(tree.quantized_module_.graph)
    cache_file().unlink()
    assert (cost(linear), cost(tree)) == before


@pytest.mark.simulate
def test_work_is_what_the_graph_has():
    inputs = Circuit(_prices.total(10), p_error=0.01).work
    assert inputs[1:] == (0, 0, 0)
    more = Circuit(_prices.total(20), p_error=0.01).work
    assert 1.9 < more.input_bytes / inputs.input_bytes < 4
    circuit = Circuit(_prices.tables(2, 8), p_error=0.01)
    assert circuit.work.tables >= 8
    assert circuit.work.operations == pytest.approx(circuit.complexity / 8)
    assert circuit.work.key_bytes == circuit.cost.key_bytes


@pytest.mark.fhe
def test_the_least_seconds_after_the_first_ones_count():
    circuit = Circuit(_prices.total(3), p_error=0.01)
    for seconds, least in (([0.1, 3.0, 2.0, 4.0], 2.0), ([0.01] * 29 + [0.005], 0.005)):
        ticks = iter([tick for taken in seconds for tick in (0.0, taken)])
        work, found = _prices.timed(circuit, lambda of=ticks: next(of))
        assert found == least
        assert next(ticks, None) is None
        assert work == circuit.work


def test_times_that_are_noise_are_no_prices(monkeypatch, cache):
    measured = [(Work(1e4, 0, 0, 0), 1.0), (Work(1e4, 1e7, 4, 1e7), 0.5)]
    monkeypatch.setattr(_prices, "calibrating", lambda *_: measured)
    monkeypatch.setattr(_prices, "timed", lambda known: known)
    with pytest.raises(RuntimeError, match="while nothing else runs"):
        calibrate_prices()
    assert not list(cache.iterdir())


@pytest.mark.parametrize("bits", [[], [0], [9], [2.5], ["2"]])
def test_odd_bits(bits):
    with pytest.raises(ValueError, match="'table_bits' must be integers from 1 to 8"):
        calibrate_prices(table_bits=bits)


@pytest.mark.parametrize("p_errors", [[], [2.0], [0]])
def test_odd_probabilities(p_errors, cache):
    with pytest.raises(ValueError, match="p_error"):
        calibrate_prices(p_errors=p_errors)
    assert not list(cache.iterdir())


def test_graphs_that_are_measured_compute_what_they_say():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 256, (1, 7))
    weights = [127, -127, 127, -127, 127, -127, 127]
    assert run_clear(_prices.total(7), (numbers,))[0] == numbers[0] @ weights
    numbers = rng.integers(0, 8, (1, 5))
    assert run_clear(_prices.tables(3, 5), (numbers,))[0] == (numbers % 2).sum()
    bits = rng.integers(0, 2, (1, 35))
    counts = bits.reshape(5, 7).sum(axis=1)
    for more in (0, 4):
        graph = _prices.tables(3, 5, n_bits=35 + more)
        row = np.append(bits, np.ones((1, more), int), axis=1)
        assert run_clear(graph, (row,))[0] == (counts % 2).sum()
    for n_inputs in (6, 7):  # the largest sum is within the range that is declared
        graph = _prices.total(n_inputs)
        most = np.where(np.resize([1, -1], n_inputs) > 0, 255, 0)[np.newaxis]
        assert run_clear(graph, (most,))[0] <= graph.outputs[0].high
