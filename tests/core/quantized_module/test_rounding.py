"""Accumulators rounded in front of tables."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhe_estimators.core.engine import ClearEngine, run_clear
from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.integers import BitWidths, KeptBits
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantization import quantize
from fhe_estimators.core.quantized_module import RoundingOptions, deviation
from fhe_estimators.exceptions import BitWidthError
from fhe_estimators.quantization import QuantizedModule

integers = st.integers(-(2**20), 2**20)


def net(n_features=6, n_hidden=5, n_outputs=2, seed=0):
    """Return a float graph of two products with a ReLU between them."""
    generator = np.random.default_rng(seed)
    nodes = (
        Node("Gemm", ("x", "w", "b"), ("h",)),
        Node("Relu", ("h",), ("r",)),
        Node("Gemm", ("r", "v"), ("y",)),
    )
    constants = {
        "w": generator.normal(size=(n_features, n_hidden)),
        "b": generator.normal(size=n_hidden),
        "v": generator.normal(size=(n_hidden, n_outputs)),
    }
    x, y = Value("x", (None, n_features)), Value("y", (None, n_outputs))
    return Graph(nodes, (x,), (y,), constants)


ROWS = np.random.default_rng(1).normal(size=(200, 6))


def quantized(kept_bits, bits=5, graph=None, rows=ROWS):
    graph = graph or net()
    end = Graph((), graph.outputs, graph.outputs)
    parts = quantize(graph, [rows], BitWidths(bits, bits), kept_bits=kept_bits)
    return QuantizedModule(*parts, NumpyModule(end))


@given(
    low=integers,
    width=st.integers(0, 2**16),
    kept=st.integers(1, 8) | st.none(),
    approximate=st.booleans(),
    data=st.data(),
)
def test_index_stays_in_the_table(low, width, kept, approximate, data):
    high = low + width
    first, lsbs, size = KeptBits(kept, approximate).index(low, high, "layer")
    kept = kept and max(kept, 1 + approximate)
    assert kept is None or (size - 1).bit_length() <= kept
    x = data.draw(st.integers(low, high))
    u = x - first
    index = (u + (1 << lsbs >> 1)) >> lsbs
    off = int(approximate and lsbs > 0)
    # Neither the integer nor the index leaves its bits, even if an index is off by one.
    assert 0 <= index - off <= index + off < size
    assert 0 <= u < 1 << ((size - 1).bit_length() + lsbs)
    # What shares an index is at most half a multiple away from it.
    assert abs(u - (index << lsbs)) <= 1 << lsbs >> 1
    if lsbs:
        # Removing one bit fewer would not have been enough.
        unit = 1 << lsbs >> 1
        spare = 2 * unit * (approximate and lsbs > 1)
        assert ((width + spare + unit // 2) // unit).bit_length() > kept


@pytest.mark.parametrize("approximate", [False, True])
@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), kept=st.integers(1, 7), bits=st.integers(2, 6))
def test_ranges_hold_for_any_input(approximate, seed, kept, bits):
    module = quantized(KeptBits(kept, approximate), bits)
    (value,) = module.graph.inputs
    generator = np.random.default_rng(seed)
    q = generator.integers(value.low, value.high, (8, 6), endpoint=True)
    q[4:] = np.where(generator.random((4, 6)) < 0.5, value.low, value.high)
    (expected,) = run_clear(module.graph, [q])
    module.compile(engine=ClearEngine())
    np.testing.assert_array_equal(module.quantized_forward(q, fhe="execute"), expected)
    (table,) = (layer for layer in module.layers if layer.tables)
    kept = max(kept, 1 + approximate)
    assert table.kept_bits <= kept
    accumulator = module.graph.value("h").bits
    assert table.rounding == (
        "" if accumulator <= kept else ("exact", "approximate")[approximate]
    )


def test_more_bits_are_more_exact():
    graph = net()
    exact = NumpyModule(graph)(ROWS)
    errors = [
        deviation(quantized(KeptBits(kept)).scores(ROWS), exact) for kept in (2, 4, 6, None)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.1


def test_bits_by_layer():
    module = quantized(KeptBits(None, layers={"r": 3}))
    assert [layer.kept_bits for layer in module.layers if layer.tables] == [3]
    module = quantized(KeptBits(4, layers={"other": 3}))
    assert [layer.kept_bits for layer in module.layers if layer.tables] == [4]


def kept_bits(module):
    return [layer.kept_bits for layer in module.layers if layer.tables]


def given_bits(options, bits=5):
    return options.checked(quantized(options.given, bits))


def test_given_bits_and_no_rounding():
    assert kept_bits(given_bits(RoundingOptions(bits=3))) == [3]
    assert kept_bits(given_bits(RoundingOptions(bits={"r": 6}))) == [6]
    (whole,) = (layer for layer in given_bits(RoundingOptions(None)).layers if layer.tables)
    assert whole.kept_bits == whole.input_bits
    assert whole.rounding == ""
    assert RoundingOptions().given is None
    with pytest.raises(ValueError, match=r"names layers without a table, 'h'; .* are 'r'"):
        given_bits(RoundingOptions(bits={"h": 4}))


def test_accumulators_wider_than_tables_have_to_be_rounded():
    with pytest.raises(BitWidthError, match=r"reads 2. bits of 'h'; the limit is 16"):
        given_bits(RoundingOptions(None), bits=12)
    module = given_bits(RoundingOptions(bits=7), 12)
    (layer,) = (layer for layer in module.layers if layer.tables)
    assert layer.input_bits > 20
    assert layer.kept_bits == 7


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "up"}, "'rounding' must be one of .* or None; got 'up'"),
        ({"bits": 0}, "'rounding_bits' must be 'auto', an integer from 1 to 16"),
        ({"bits": "many"}, "got 'many'"),
        ({"bits": {"r": 17}}, "got {'r': 17}"),
    ],
)
def test_wrong_options(wrong, message):
    with pytest.raises(ValueError, match=message):
        RoundingOptions(**wrong)


def test_report():
    lines = str(quantized(KeptBits(4)).layers).splitlines()
    assert lines[0].split() == [
        *("layer", "operator", "tables", "bits", "kept", "rounding", "result")
    ]
    (table,) = (line.split() for line in lines if "TableLookup" in line)
    assert table[:3] == ["r", "TableLookup", "5"]
    assert table[4:6] == ["4", "exact"]


def test_borders_lie_on_jumps():
    """A step function of a wide accumulator is computed exactly with few bits."""
    nodes = (Node("Gemm", ("x", "w", "b"), ("h",)), Node("Greater", ("h", "c"), ("y",)))
    constants = {"w": np.eye(2), "b": np.zeros(2), "c": np.array([0.37, -1.1])}
    graph = Graph(nodes, (Value("x", (None, 2)),), (Value("y", (None, 2)),), constants)
    rows = np.random.default_rng(0).normal(size=(500, 2))
    whole = quantized(KeptBits(), 8, graph, rows)
    coarse = quantized(KeptBits(2), 8, graph, rows)
    assert kept_bits(coarse) == [2]
    # Not tried are all of the thousands of shifts, but enough of them.
    agreement = np.mean(coarse.scores(rows) == whole.scores(rows))
    assert agreement > 0.97


@pytest.mark.simulate
@pytest.mark.parametrize("kept", [3, 5])
def test_exact_rounding_simulated(kept):
    module = quantized(KeptBits(kept), bits=4)
    rows = np.random.default_rng(5).normal(size=(40, 6)) * 3
    circuit = module.compile(p_error=2**-40)
    removed = (circuit.programmable_bootstrap_count - 5) / 5
    (table,) = (layer for layer in module.layers if layer.tables)
    (node,) = (node for node in module.graph if node.op == "TableLookup")
    assert table.kept_bits <= kept
    assert removed == node.attributes["lsbs"] > 0
    np.testing.assert_array_equal(module.scores(rows, fhe="simulate"), module.scores(rows))


@pytest.mark.fhe
@pytest.mark.parametrize("approximate", [False, True])
def test_rounding_encrypted(approximate):
    graph = net(3, 2)
    rows = np.random.default_rng(5).normal(size=(50, 3))
    module = quantized(KeptBits(3, approximate), 3, graph, rows)
    # The corners of the box of inputs give the ends of the accumulators.
    corners = np.array([[9.0, 9, 9], [-9, 9, -9], [-9, -9, -9], [9, -9, 9]])
    module.compile(p_error=2**-40)
    clear, found = module.scores(corners), module.scores(corners, fhe="execute")
    if not approximate:
        np.testing.assert_array_equal(found, clear)
    else:
        # An index off by one at most: never beyond the ends of the table.
        assert np.abs(found - clear).max() <= 0.5 * np.ptp(module.scores(rows))


def test_deviation_is_that_of_each_column():
    meant = np.random.default_rng(0).normal(size=(100, 2))
    error = np.array([0.1, 0.2]) * np.where(np.arange(100) % 2, 1, -1)[:, np.newaxis]
    expected = deviation(meant + error, meant)
    # Neither an offset nor a unit of a column changes it; constant ones do not count.
    units, offset = np.array([1e6, 1e-6]), np.array([0.0, 1e-3])
    moved = meant * units + offset
    assert np.isclose(deviation(moved + error * units, moved), expected)
    assert np.isclose(deviation(meant + error, meant + 0.0), expected)
    constant = np.column_stack([meant, np.full(100, 7.0)])
    found = constant + np.pad(error, ((0, 0), (0, 1)))
    assert np.isclose(deviation(found, constant), expected)


@pytest.mark.parametrize("unit", [1e-300, 1e-170, 1e160, 1e300])
def test_deviation_has_no_unit(unit):
    meant = np.random.default_rng(0).normal(size=(100, 2))
    expected = deviation(meant * 1.1, meant)
    assert np.isclose(deviation(meant * 1.1 * unit, meant * unit), expected)


def test_deviation_of_what_is_not_finite_is_not_hidden():
    meant = np.random.default_rng(0).normal(size=(100, 2))
    undefined = np.where(np.arange(200).reshape(100, 2) == 7, np.nan, meant)
    for found in ((meant, undefined), (undefined, meant)):
        assert np.isnan(deviation(found, (meant, meant)))


def test_an_offset_between_outputs_does_not_hide_errors():
    rows, offset = np.random.default_rng(0).normal(size=(60, 2)), np.array([0.0, 1e4])
    found = deviation(rows + 0.3 + offset, rows + offset)
    assert np.isclose(found, deviation(rows + 0.3, rows))
