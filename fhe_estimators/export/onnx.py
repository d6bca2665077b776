"""ONNX models as graphs. The only module that imports onnx."""

from __future__ import annotations

import onnx
from onnx import numpy_helper, shape_inference

from fhe_estimators.exceptions import UnsupportedOperatorError
from fhe_estimators.graph import Graph, Node, Value
from fhe_estimators.operators import registry, table

#: Oldest and newest version of the default operator set that is read.
OPSETS = (13, 18)


def read_onnx(model: onnx.ModelProto) -> Graph:
    """Return the float graph of an ONNX model.

    Parameters
    ----------
    model : onnx.ModelProto

    Returns
    -------
    graph : Graph
        Initializers are its constants; `fhe_estimators.rewrite.clean` folds the rest.

    Raises
    ------
    UnsupportedOperatorError
        For an operator set outside ``OPSETS``, or operators of another domain.
    onnx.checker.ValidationError
        If the model breaks the ONNX specification.
    """
    onnx.checker.check_model(model)
    opset = next(
        (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
        0,
    )
    if not OPSETS[0] <= opset <= OPSETS[1]:
        raise UnsupportedOperatorError(
            f"The model uses opset {opset}; supported are {OPSETS[0]} to {OPSETS[1]}. "
            "Export it again with opset_version=17, or use onnx.version_converter."
        )
    inferred = shape_inference.infer_shapes(model).graph
    constants = {
        tensor.name: numpy_helper.to_array(tensor) for tensor in inferred.initializer
    }
    nodes = []
    domains = {cls.domain for cls in registry().values() if cls.domain != table.DOMAIN}
    for proto in inferred.node:
        if proto.domain not in {"ai.onnx", *domains}:
            raise UnsupportedOperatorError(
                f"Node {proto.name!r} uses {proto.op_type} of the domain "
                f"{proto.domain!r}; only operators of the ONNX specification and of QONNX "
                "are supported."
            )
        nodes.append(
            Node(
                proto.op_type,
                tuple(proto.input),
                # Optional results at the end that nobody reads (Dropout's mask).
                tuple(name for name in proto.output if name)[:1]
                if proto.op_type == "Dropout"
                else tuple(proto.output),
                {entry.name: _attribute(entry) for entry in proto.attribute},
                proto.name,
            )
        )
    return Graph(
        tuple(nodes),
        tuple(_value(info) for info in inferred.input if info.name not in constants),
        tuple(_value(info) for info in inferred.output),
        constants,
        {info.name: _value(info) for info in inferred.value_info},
        opset,
    )


def _attribute(entry: onnx.AttributeProto) -> object:
    value = onnx.helper.get_attribute_value(entry)
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, bytes):
        return value.decode()
    return value


def _value(info: onnx.ValueInfoProto) -> Value:
    kind = info.type.tensor_type
    if not kind.HasField("shape"):
        return Value(info.name)
    return Value(
        info.name,
        tuple(
            size.dim_value if size.HasField("dim_value") else None
            for size in kind.shape.dim
        ),
    )


def load_onnx(serialized: bytes) -> onnx.ModelProto:
    """Return the ONNX model that `serialized` holds."""
    return onnx.load_model_from_string(serialized)
