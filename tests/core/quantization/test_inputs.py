"""Quantizers that training put in front of an input: their integers are encrypted."""

import numpy as np
import pytest

from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantization import quantize
from fhe_estimators.quantization import QuantizedModule

W = np.array([[1.0, -2.0], [0.5, 3.0], [2.0, -1.0]])


def rows():
    """Return rows with ties: zeros of both signs, halves of steps, numbers next to zero."""
    x = np.random.default_rng(0).normal(0, 2, (300, 3))
    x[:40] = np.round(x[:40] * 8) / 8
    x[40:50], x[50:60] = 0.0, -0.0
    x[60:70, 1], x[70:80, 1] = 5e-324, -5e-324
    return x


def quantizers():
    """Yield (operator, parameters behind the first, attributes)."""
    for op in ("Quant", "IntQuant"):
        for mode in ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"):
            yield op, (0.25, 0.0, 4.0), {"rounding_mode": mode}
        yield op, (0.25, 0.0, 3.0), {"narrow": 1}
        yield op, (0.25, 0.0, 3.0), {"signed": 0, "narrow": 1}
        yield op, (0.25, 3.0, 3.0), {"signed": 0}
        yield op, (0.25, 2.75, 3.0), {"signed": 0}
        yield op, (0.25, np.array([[2.0, 3.0, 4.0]]), 3.0), {"signed": 0}
        yield op, (np.array([[0.25, 0.5, 1.0]]), 0.0, 3.0), {}
        yield op, (1.0, 0.0, 1.0), {"signed": 0}
    yield "BipolarQuant", (1.0,), {}
    yield "BipolarQuant", (0.3,), {}
    for mode in ("FLOOR", "ROUND", "CEIL"):
        yield "Trunc", (0.125, 0.0, 6.0, 0.5, 4.0), {"rounding_mode": mode}


def graph_of(op, parameters, attributes, *more):
    names = [f"p{place}" for place in range(len(parameters))]
    nodes = [
        Node(op, ("x", *names), ("q",), attributes),
        *more,
        Node("MatMul", ("q", "w"), ("y",)),
    ]
    constants = {n: np.asarray(p) for n, p in zip(names, parameters, strict=True)}
    return Graph(
        tuple(nodes), (Value("x", (None, 3)),), (Value("y"),), {**constants, "w": W}
    )


@pytest.mark.parametrize(("op", "parameters", "attributes"), list(quantizers()))
def test_integers_are_those_of_training(op, parameters, attributes):
    """Encoded by the client: no table rounds them again, however few bits are asked for."""
    graph, x = graph_of(op, parameters, attributes), rows()
    integers, (quantizer,), outputs = quantize(graph, [x], BitWidths(4, 8))
    assert [node.op for node in integers] == ["MatMul"]
    rounded = NumpyModule(graph).intermediates(x)["q"]
    np.testing.assert_allclose(quantizer.dequant(quantizer.quant(x)), rounded, atol=1e-15)
    q = quantizer.quant(10 * x)
    assert q.min() >= quantizer.low
    assert q.max() <= quantizer.high
    end = NumpyModule(Graph((), graph.outputs, graph.outputs))
    module = QuantizedModule(integers, (quantizer,), outputs, end)
    np.testing.assert_array_equal(
        module.quantize_input(x), quantizer.quant(x, np.float64).astype(np.int64)
    )


def test_several_readers_of_one_quantizer():
    same = Node("BipolarQuant", ("x", "p0"), ("other",))
    graph = graph_of("BipolarQuant", (1.0,), {}, same)
    _, (quantizer,), _ = quantize(graph, [rows()], BitWidths(4, 8))
    assert (quantizer.low, quantizer.high) == (-1, 1)


def test_another_reader_needs_the_numbers_themselves():
    graph = graph_of("BipolarQuant", (1.0,), {}, Node("Relu", ("x",), ("r",)))
    _, (quantizer,), _ = quantize(graph, [rows()], BitWidths(4, 8))
    assert quantizer.n_bits == 4


def test_numbers_that_are_not_finite_are_refused():
    _, (quantizer,), _ = quantize(
        graph_of("BipolarQuant", (1.0,), {}), [rows()], BitWidths(4, 8)
    )
    with pytest.raises(ValueError, match="nan or infinity"):
        quantizer.quant(np.array([[np.nan, 0, 0]]))
