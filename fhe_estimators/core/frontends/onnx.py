"""ONNX models as graphs. The only module that imports onnx."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import onnx
from onnx import numpy_helper, shape_inference

from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.operators import registry, table
from fhe_estimators.exceptions import UnsupportedOperatorError

#: Oldest and newest version of the default operator set that is read.
OPSETS = (13, 18)
#: Key of a model's metadata: how many rows it was traced with.
_TRACED = "fhe_estimators.n_rows_traced"


def read_onnx(model: onnx.ModelProto) -> Graph:
    """Return the float graph of an ONNX model.

    Parameters
    ----------
    model : onnx.ModelProto

    Returns
    -------
    graph : Graph
        Initializers are its constants; `fhe_estimators.core.rewrite.clean` folds the rest.
        The first size of an input is a number if the model was written for so many rows.

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
    read = {name for node in inferred.node for name in node.input}
    read.update(info.name for info in inferred.output)
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
                _results(proto, opset, read),
                {entry.name: _attribute(entry) for entry in proto.attribute},
                proto.name,
            )
        )
    n_rows = _n_rows_traced(model)
    inputs = (info for info in inferred.input if info.name not in constants)
    return Graph(
        tuple(nodes),
        tuple(_for_rows(_value(info), n_rows) for info in inputs),
        tuple(_value(info) for info in inferred.output),
        constants,
        {info.name: _value(info) for info in inferred.value_info},
        opset,
    )


def _results(proto: onnx.NodeProto, opset: int, read: Collection[str]) -> tuple[str, ...]:
    """Return the results of a node, less optional ones at the end that nobody reads."""
    names = list(proto.output)
    if proto.op_type == "Dropout":
        # What training dropped; nothing is dropped at inference.
        return tuple(names[:1])
    domain = "" if proto.domain == "ai.onnx" else proto.domain
    if onnx.defs.has(proto.op_type, opset, domain):
        results = onnx.defs.get_schema(proto.op_type, opset, domain).outputs
        optional = onnx.defs.OpSchema.FormalParameterOption.Optional
        while (
            len(names) <= len(results)
            and results[len(names) - 1].option == optional
            and names[-1] not in read
        ):
            names.pop()
    return tuple(names)


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


def traced_with(model: onnx.ModelProto, n_rows: int) -> onnx.ModelProto:
    """Return the model with a note of how many rows it was traced with.

    Where the traced code asked Python for the number of rows, the model holds that number.
    """
    onnx.helper.set_model_props(model, {**_properties(model), _TRACED: str(n_rows)})
    return model


def _n_rows_traced(model: onnx.ModelProto) -> int | None:
    count = _properties(model).get(_TRACED)
    return None if count is None else int(count)


def _for_rows(value: Value, n_rows: int | None) -> Value:
    if n_rows is None or not value.shape:
        return value
    return replace(value, shape=(n_rows, *value.shape[1:]))


def _properties(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def with_sizes(
    model: onnx.ModelProto, shapes: Sequence[tuple[int, ...]]
) -> onnx.ModelProto:
    """Return a copy of the model whose inputs have the sizes of given rows.

    Parameters
    ----------
    model : onnx.ModelProto
    shapes : sequence of tuple of int
        Of an array of rows for each input. The first size, the number of rows, does not
        matter.

    Returns
    -------
    sized : onnx.ModelProto

    Raises
    ------
    ValueError
        If the number of inputs, or a size that the model sets, is another.
    """
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    weights = {tensor.name for tensor in sized.graph.initializer}
    inputs = [info for info in sized.graph.input if info.name not in weights]
    if len(inputs) != len(shapes):
        raise ValueError(
            f"The model has {len(inputs)} inputs ({', '.join(i.name for i in inputs)}); "
            f"got rows of {len(shapes)}."
        )
    for info, shape in zip(inputs, shapes, strict=True):
        known = _value(info).shape
        if known is None:
            info.type.tensor_type.shape.SetInParent()
            known = (None,) * len(shape)
            info.type.tensor_type.shape.dim.extend(
                onnx.TensorShapeProto.Dimension() for _ in shape
            )
        if len(known) != len(shape) or any(
            size not in (None, given)
            for size, given in zip(known[1:], shape[1:], strict=True)
        ):
            raise ValueError(
                f"The input {info.name!r} of the model takes rows of shape "
                f"{known[1:]}, where None is any size; got rows of shape {shape[1:]}."
            )
        for size, given in zip(info.type.tensor_type.shape.dim[1:], shape[1:], strict=True):
            size.dim_value = given
    return sized


def load_onnx(serialized: bytes) -> onnx.ModelProto:
    """Return the ONNX model that `serialized` holds."""
    return onnx.load_model_from_string(serialized)
