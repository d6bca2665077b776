"""What the tests of the integer meaning share."""

from dataclasses import replace

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from fhe_estimators.core.engine import ClearEngine, run_clear
from fhe_estimators.core.graph import FLOAT, Graph, Value, check
from fhe_estimators.core.integers import BitWidths, KeptBits
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import supported
from fhe_estimators.core.quantization import quantize
from fhe_estimators.core.rewrite import cut
from fhe_estimators.quantization import QuantizedModule

bits = st.integers(3, 8)
seeds = st.integers(0, 2**32 - 1)
examples = settings(max_examples=12, deadline=None, derandomize=True)


def float_graph(nodes, constants, shape):
    """Return a legal graph from "x", rows of a shape, to the result of the last node."""
    graph = Graph(
        tuple(nodes),
        (Value("x", (None, *shape)),),
        (Value(nodes[-1].outputs[0]),),
        constants,
    )
    return check(graph, FLOAT, supported())


def quantized(graph, rows, n_bits, weight_bits=None):
    encrypted, clear = cut(graph)
    bit_widths = BitWidths(n_bits, weight_bits or n_bits)
    module = quantize(encrypted, [rows], bit_widths)
    return QuantizedModule(*module, NumpyModule(clear))


def whole(graph, rows, n_bits, weight_bits=None, kept_bits=KeptBits()):
    """Return all of a graph as a quantized module: nothing stays with the client."""
    bit_widths = BitWidths(n_bits, weight_bits or n_bits)
    integers = quantize(graph, [rows], bit_widths, kept_bits=kept_bits)
    last = replace(graph, nodes=(), inputs=graph.outputs, constants={}, values={})
    return QuantizedModule(*integers, NumpyModule(last))


def compared(module, graph, rows):
    """Return the results of a module, and those of the float graph for its integers."""
    quantizer = module.input_quantizers[0]
    meant = quantizer.dequant(quantizer.quant(rows))
    with np.errstate(all="ignore"):
        expected = np.asarray(NumpyModule(graph)(meant), float)
    result = module.scores(rows)
    assert result.shape == expected.shape
    return result, expected


def count_tables(module):
    return sum(node.op == "TableLookup" for node in module.graph)


def any_integers(module, seed, n_rows):
    """Return integers in the range of the input, a row may give them or not.

    The first two rows are its ends, and half of the others are corners.
    """
    (value,) = module.graph.inputs
    generator = np.random.default_rng(seed)
    shape = (n_rows, *value.shape[1:])
    q = generator.integers(value.low, value.high, shape, endpoint=True)
    middle = n_rows // 2 + 1
    q[middle:] = np.where(generator.random(shape) < 0.5, value.low, value.high)[middle:]
    q[0], q[1] = value.low, value.high
    return q


def check_ranges(module, seed):
    """Run any integers of the input range, corners included, on the engine that checks."""
    graph, q = module.graph, any_integers(module, seed, 6)
    module.compile(engine=ClearEngine())
    (expected,) = run_clear(graph, [q])
    for fhe in ("simulate", "execute"):
        np.testing.assert_array_equal(module.quantized_forward(q, fhe=fhe), expected)


def images(seed, *shape):
    """Return rows whose channels have ranges of their own."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(20, *shape)) + generator.normal(size=shape)
    return rows * np.arange(1, shape[0] + 1).reshape(-1, *[1] * (len(shape) - 1))


#: Bits of weights that make their rounding small beside everything else.
FINE = 14


def assert_close(result, expected, relative):
    """Compare with the largest number of an output."""
    assert np.abs(result - expected).max() <= relative * np.abs(expected).max() + 1e-9
