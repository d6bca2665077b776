"""The text of graphs."""

import numpy as np

from fhe_estimators.core.graph import Node, show
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.quantization import quantize
from tests.core.graph.graphs import BIAS, WEIGHTS, float_graph, gemm

INTEGER_TEXT = """\
inputs   x[n x 2] 3 bits
h[n x 2] 6 bits = MatMul(x, h.weights[2 x 2])
r[n x 2] 3 bits = TableLookup(h, r.table[38 x 2], first=-20)
y[n x 1] 6 bits = MatMul(r, y.weights[2 x 1])
outputs  y[n x 1] 6 bits"""


def test_text_of_an_integer_graph():
    """A table for each of two columns, because their scales differ."""
    graph = float_graph(
        gemm("x", "h"),
        Node("Relu", ("h",), ("r",)),
        gemm("r", "y", "v", "zero"),
        w=WEIGHTS,
        b=BIAS,
        v=np.array([[1.0], [-0.5]]),
        zero=np.zeros(1),
    )
    rows = np.stack(np.meshgrid([-1, -0.5, 0, 1], [0, 0.5, 1, 2]), axis=-1).reshape(-1, 2)
    integers, _, _ = quantize(graph, [rows], BitWidths(3, 3))
    assert show(integers) == INTEGER_TEXT


def test_text_of_a_float_graph():
    graph = float_graph(
        Node("Sub", ("x", "mean"), ("d",)),
        Node("Clip", ("d", "", "top"), ("c",)),
        Node("Elu", ("c",), ("y",), {"alpha": 0.5}),
        mean=BIAS,
        top=np.array(3.0),
    )
    assert show(graph).splitlines() == [
        "inputs   x[n x 2]",
        "d = Sub(x, mean[2])",
        "c = Clip(d, , 3.0)",
        "y = Elu(c, alpha=0.5)",
        "outputs  y",
    ]
