"""NumpyModule: a float graph that can be called with arrays."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from fhe_estimators.core.graph import FLOAT, Graph, check, evaluate
from fhe_estimators.core.operators import operators_of, supported

if TYPE_CHECKING:
    from onnx import ModelProto


class NumpyModule:
    """An ONNX model executed with numpy, operator by operator, in topological order.

    Nothing is quantized: this is the meaning that the encrypted computation is compared
    with, and the place where calibration looks at intermediate results.

    Parameters
    ----------
    model : onnx.ModelProto, bytes, str, os.PathLike or Graph
        An ONNX model, serialized or not, the path of its file, or a graph.

    Attributes
    ----------
    graph : Graph
        Checked against the rules of float graphs.
    onnx_model : onnx.ModelProto or None
        The model that was given.

    Raises
    ------
    UnsupportedOperatorError
        If the model holds an operator, an attribute or an opset that is not supported.

    Examples
    --------
    >>> import numpy as np
    >>> from fhe_estimators.core.graph import Graph, Node, Value
    >>> relu = Node("Relu", ("x",), ("y",))
    >>> module = NumpyModule(Graph((relu,), (Value("x"),), (Value("y"),)))
    >>> module(np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    """

    def __init__(self, model: ModelProto | bytes | str | os.PathLike[str] | Graph) -> None:
        if isinstance(model, Graph):
            self.onnx_model, graph = None, model
        else:
            from fhe_estimators.core.frontends.onnx import as_model, read_onnx

            self.onnx_model = as_model(model)
            graph = read_onnx(self.onnx_model)
        self.graph = check(graph, FLOAT, supported())
        operator_of = operators_of(graph)
        self._operators = {node.outputs: operator_of(node) for node in graph}

    def forward(self, *inputs: np.ndarray) -> np.ndarray | tuple[np.ndarray, ...]:
        """Compute the outputs of the graph.

        Parameters
        ----------
        *inputs : ndarray of shape (n_samples, ...)

        Returns
        -------
        outputs : ndarray of shape (n_samples, ...), or a tuple of them

        Raises
        ------
        TypeError
            If the number of arrays is not the number of inputs.
        """
        outputs = self.outputs(*inputs)
        return outputs[0] if len(outputs) == 1 else outputs

    __call__ = forward

    def outputs(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Compute the outputs of the graph: `forward`, but a tuple even of one.

        Parameters
        ----------
        *inputs : ndarray of shape (n_samples, ...)

        Returns
        -------
        outputs : tuple of ndarray of shape (n_samples, ...)

        Raises
        ------
        TypeError
            If the number of arrays is not the number of inputs.
        """
        results = self.intermediates(*inputs)
        return tuple(results[value.name] for value in self.graph.outputs)

    def intermediates(self, *inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Compute every tensor of the graph.

        Parameters
        ----------
        *inputs : ndarray of shape (n_samples, ...)

        Returns
        -------
        tensors : dict of str to ndarray
            By name; inputs and constants too.

        Raises
        ------
        TypeError
            If the number of arrays is not the number of inputs.
        """
        names = [value.name for value in self.graph.inputs]
        if len(inputs) != len(names):
            raise TypeError(
                f"The graph takes {len(names)} inputs ({', '.join(names)}); "
                f"got {len(inputs)}."
            )
        return evaluate(
            self.graph,
            dict(zip(names, inputs, strict=True)),
            lambda node: self._operators[node.outputs],
        )
