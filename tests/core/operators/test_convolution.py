"""Convolutions in all the forms that they are served in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.core.graph import Node
from fhe_estimators.core.numpy_module import NumpyModule
from tests.core.operators.test_windows import geometries
from tests.core.operators.tools import (
    FINE,
    assert_close,
    bits,
    check_ranges,
    compared,
    count_tables,
    examples,
    float_graph,
    images,
    seeds,
    whole,
)


@given(geometries(pool=""), st.integers(1, 2), bits, seeds)
@examples
def test_conv(geometry, group, n_bits, seed):
    attributes, sizes = geometry
    generator = np.random.default_rng(seed)
    w = generator.normal(size=(2 * group, 2, *attributes["kernel_shape"]))
    node = Node("Conv", ("x", "w", "b"), ("y",), {**attributes, "group": group})
    constants = {"w": w, "b": generator.normal(size=2 * group)}
    graph = float_graph([node], constants, (2 * group, *sizes))
    rows = images(seed, 2 * group, *sizes)
    module = whole(graph, rows, n_bits, FINE)
    result, expected = compared(module, graph, rows)
    # Weights are fitted: results come close to those of the rows before these were rounded.
    meant = np.abs(expected - NumpyModule(graph)(rows)).max()
    assert_close(result, expected, 0.01 + 2 * meant / np.abs(expected).max())
    assert count_tables(module) == 0
    check_ranges(module, seed)


def test_numbers_of_one_filter_share_a_table():
    """Though a padded zero is no number of the grid, and windows at the border hold it."""
    w = np.random.default_rng(0).normal(size=(3, 2, 3, 3))
    nodes = [
        Node("Conv", ("x", "w"), ("a",), {"pads": [1, 1, 1, 1]}),
        Node("Relu", ("a",), ("y",)),
    ]
    graph = float_graph(nodes, {"w": w}, (2, 5, 5))
    rows = 3 + np.abs(images(0, 2, 5, 5))
    module = whole(graph, rows, 6, 6)
    assert [n.op for n in module.graph] == ["Pad", "Conv", "Add", "TableLookup"]
    table = module.graph.constants[module.graph.nodes[-1].inputs[1]]
    assert table.shape[1:] == (3, 1, 1)
    result, expected = compared(module, graph, rows)
    assert_close(result, expected, 0.1)


def test_weights_of_training_are_used_as_they_are():
    """One unit of the operand, one for each filter: exact, padding included."""
    generator = np.random.default_rng(0)
    integers = generator.integers(-3, 4, (2, 3, 2, 2))
    unit = np.array([0.5, 0.3]).reshape(2, 1, 1, 1)
    nodes = [
        Node("Quant", ("x", "step", "zero", "bits"), ("q",)),
        Node("Quant", ("w", "unit", "zero", "bits"), ("v",)),
        Node("Conv", ("q", "v", "b"), ("y",), {"pads": [1, 0, 0, 1]}),
    ]
    constants = {
        "step": np.array(0.125),
        "zero": np.array(0.0),
        "bits": np.array(4.0),
        "unit": unit,
        "w": integers * unit,
        "b": np.array([0.7, -0.1]),
    }
    graph = float_graph(nodes, constants, (3, 4, 4))
    rows = generator.normal(size=(20, 3, 4, 4))
    module = whole(graph, rows, 4)
    assert [n.op for n in module.graph] == ["Pad", "Conv"]
    (weights,) = (a for a in module.graph.constants.values() if a.ndim == 4)
    np.testing.assert_array_equal(weights, integers)
    np.testing.assert_allclose(module.scores(rows), NumpyModule(graph)(rows), atol=1e-9)


def test_channels_have_units_of_their_own():
    """A channel with large numbers does not cost another one its precision."""
    w = np.array([1.0, 1000]).reshape(1, 2, 1)
    graph = float_graph([Node("Conv", ("x", "w"), ("y",))], {"w": w}, (2, 6))
    rows = np.random.default_rng(0).normal(size=(50, 2, 6)) * [[1000], [1]]
    module = whole(graph, rows, 8)
    result, expected = compared(module, graph, rows)
    assert_close(result, expected, 0.02)
