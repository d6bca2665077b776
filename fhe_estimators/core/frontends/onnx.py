"""ONNX models as graphs. The only module that imports onnx."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import inliner, numpy_helper, shape_inference

from fhe_estimators.core.frontends.branches import unrolled
from fhe_estimators.core.graph import NEWEST_OPSET, Graph, Node, Value
from fhe_estimators.core.operators import ml_linear, ml_trees, registry, table
from fhe_estimators.exceptions import UnsupportedOperatorError

#: Oldest and newest version of the default operator set that is read. Version 22 adds
#: types only that numpy lacks; of very old versions a few operators are known.
OPSETS = (1, 22)
#: Newest version of the format of files that the checker of ONNX knows.
_IR_VERSION = 10
#: Key of a model's metadata: how many rows it was traced with.
_TRACED = "fhe_estimators.n_rows_traced"


#: Types of inputs that hold integers or truth values.
_INTEGERS = frozenset(
    getattr(onnx.TensorProto, name)
    for name in (
        "BOOL",
        *(f"{kind}{n}" for kind in ("INT", "UINT") for n in (8, 16, 32, 64)),
    )
)


#: Types of tensors: those, real numbers, and what is not said.
_TYPES = _INTEGERS | {
    onnx.TensorProto.UNDEFINED,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.DOUBLE,
}


def as_model(model: Any) -> onnx.ModelProto:
    """Return an ONNX model, read from a file if a path is given.

    Parameters
    ----------
    model : onnx.ModelProto, torch.onnx.ONNXProgram, bytes, str or os.PathLike
        The model, itself, as torch's newer exporter holds it, or serialized, or the path of
        a file. Weights in files of their own are read from beside the file.

    Raises
    ------
    OSError
        If there is no such file.
    TypeError
        If it is something else.
    ValueError
        If what is given holds no ONNX model.
    """
    # What torch's newer exporter returns has the model as an attribute.
    model = getattr(model, "model_proto", model)
    if isinstance(model, onnx.ModelProto):
        return model
    if not isinstance(model, bytes | str | os.PathLike):
        raise TypeError(
            "An ONNX model must be an onnx.ModelProto, bytes, or the path of a file; got "
            f"{type(model).__name__}. Use compile_torch_model for a module of torch."
        )
    serialized = isinstance(model, bytes)
    what = "The bytes hold" if serialized else f"The file {model!s} holds"
    try:
        found = (
            load_onnx(model) if isinstance(model, bytes) else onnx.load(os.fspath(model))
        )
    except DecodeError as error:
        raise ValueError(f"{what} no ONNX model: {error}.") from error
    if not found.graph.node and not found.graph.output:
        raise ValueError(f"{what} no ONNX model, or an empty one.")
    return found


def read_onnx(model: onnx.ModelProto | bytes | str | os.PathLike[str]) -> Graph:
    """Return the float graph of an ONNX model.

    Parameters
    ----------
    model : onnx.ModelProto, bytes, str or os.PathLike
        See `as_model`.

    Returns
    -------
    graph : Graph
        Initializers are its constants; `fhe_estimators.core.rewrite.clean` folds the rest.
        The first size of an input is a number if the model was written for so many rows.
        An input of integers is cast to them first: rows may be given in any type. Local
        functions are inlined; branches and loops are written out.

    Raises
    ------
    UnsupportedOperatorError
        For an operator set outside ``OPSETS``, operators of another domain, or a branch
        that what is encrypted decides about.
    onnx.checker.ValidationError
        If the model breaks the ONNX specification.
    """
    model = _checked(as_model(model))
    opset = _opset(model)
    inferred = shape_inference.infer_shapes(model).graph
    n_rows = _n_rows_traced(model)
    graph = _graph(inferred, opset)
    inputs = [info for info in inferred.input if info.name not in graph.constants]
    cast = {info.name: f"{info.name}.integers" for info in inputs if _elem_type(info)}
    casts = tuple(
        Node("Cast", (info.name,), (cast[info.name],), {"to": _elem_type(info)})
        for info in inputs
        if info.name in cast
    )
    nodes = tuple(_renamed(node, cast) for node in graph)
    return unrolled(
        replace(
            graph,
            nodes=(*casts, *nodes),
            inputs=tuple(_for_rows(value, n_rows) for value in graph.inputs),
        )
    )


def _checked(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a valid model of an operator set that we know, without local functions."""
    opset = _opset(model)
    if not OPSETS[0] <= opset <= OPSETS[1]:
        raise UnsupportedOperatorError(
            f"The model uses opset {opset}; supported are {OPSETS[0]} to {OPSETS[1]}. "
            f"Export it again with opset_version={NEWEST_OPSET - 1}."
        )
    if opset > NEWEST_OPSET or model.ir_version > _IR_VERSION:
        known = onnx.ModelProto()
        known.CopyFrom(model)
        known.ir_version = min(model.ir_version, _IR_VERSION)
        for entry in known.opset_import:
            if entry.domain in ("", "ai.onnx"):
                entry.version = min(entry.version, NEWEST_OPSET)
        model = known
    if model.functions:
        model = inliner.inline_local_functions(model)
    model = _with_outputs(model)
    checked = onnx.ModelProto()
    checked.CopyFrom(model)
    for info in checked.graph.output:
        # The checker wants a shape, which may be of any rank.
        if info.type.HasField("tensor_type"):
            info.type.tensor_type.shape.SetInParent()
    onnx.checker.check_model(checked)
    return model


def _opset(model: onnx.ModelProto) -> int:
    """Return the version of the default operator set; the newest if none is used."""
    versions = {entry.domain: entry.version for entry in model.opset_import}
    return int(versions.get("", versions.get("ai.onnx", NEWEST_OPSET)))


def _graph(proto: onnx.GraphProto, opset: int) -> Graph:
    """Return the graph of a model, or of a body in a node of it."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.initializer}
    constants.update(map(_dense, proto.sparse_initializer))
    read = {name for node in proto.node for name in node.input}
    read.update(info.name for info in proto.output)
    maps = {name for node in proto.node if node.op_type == "ZipMap" for name in node.output}
    return Graph(
        tuple(_node(node, opset, read) for node in proto.node),
        tuple(_value(info) for info in proto.input if info.name not in constants),
        tuple(_result(info, maps) for info in proto.output),
        constants,
        {
            info.name: _value(info)
            for info in proto.value_info
            if info.type.tensor_type.elem_type in _TYPES
        },
        opset,
    )


def _node(proto: onnx.NodeProto, opset: int, read: Collection[str]) -> Node:
    domains = {cls.domain for cls in registry().values() if cls.domain != table.DOMAIN}
    if proto.domain not in {"", "ai.onnx", *domains}:
        raise UnsupportedOperatorError(
            f"Node {proto.name!r} uses {proto.op_type} of the domain {proto.domain!r}; "
            "only operators of the ONNX specification, of ai.onnx.ml and of QONNX are "
            "supported."
        )
    return Node(
        proto.op_type,
        tuple(proto.input),
        _results(proto, opset, read),
        {entry.name: _attribute(entry, opset) for entry in proto.attribute},
        proto.name,
    )


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    """Return a node that reads tensors of other names, in its bodies too."""
    attributes = {
        key: replace(value, nodes=tuple(_renamed(each, names) for each in value))
        if isinstance(value, Graph)
        else value
        for key, value in node.attributes.items()
    }
    return replace(node.renamed(names), attributes=attributes)


def _elem_type(info: onnx.ValueInfoProto) -> int:
    """Return the ONNX type of an input of integers or truth values, else 0 (undefined)."""
    kind = int(info.type.tensor_type.elem_type)
    return kind if kind in _INTEGERS else 0


def _with_outputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with a type and a shape, if unknown an open one, for each output."""
    if all(info.type.tensor_type.HasField("shape") for info in model.graph.output):
        return model
    typed = onnx.ModelProto()
    typed.CopyFrom(model)
    del typed.graph.output[:]
    known = {
        info.name: info for info in shape_inference.infer_shapes(typed).graph.value_info
    }
    for info in model.graph.output:
        typed.graph.output.append(known.get(info.name, info))
    return typed


def _dense(tensor: onnx.SparseTensorProto) -> tuple[str, np.ndarray]:
    """Return the name of a sparse constant and its numbers.

    Their places are given by number, in a flat array, or by axis.
    """
    values, places = map(numpy_helper.to_array, (tensor.values, tensor.indices))
    array = np.zeros(tuple(tensor.dims), values.dtype)
    array[
        np.unravel_index(places, array.shape) if places.ndim == 1 else tuple(places.T)
    ] = values
    return tensor.values.name, array


def _results(proto: onnx.NodeProto, opset: int, read: Collection[str]) -> tuple[str, ...]:
    """Return the results of a node, less optional ones at the end that nobody reads."""
    names = list(proto.output)
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


def _attribute(entry: onnx.AttributeProto, opset: int) -> object:
    value = onnx.helper.get_attribute_value(entry)
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, onnx.SparseTensorProto):
        return _dense(value)[1]
    if isinstance(value, onnx.GraphProto):
        return _graph(value, opset)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list) and value and isinstance(value[0], bytes):
        return [text.decode() for text in value]
    return value


def _result(info: onnx.ValueInfoProto, maps: Collection[str]) -> Value:
    """Return an output: numbers, texts, or maps that are numbers here."""
    kind = info.type.tensor_type.elem_type
    if info.name in maps or kind == onnx.TensorProto.STRING:
        return Value(info.name)
    return _value(info)


def _value(info: onnx.ValueInfoProto) -> Value:
    kind = info.type.tensor_type
    if info.type.WhichOneof("value") not in (None, "tensor_type"):
        raise UnsupportedOperatorError(
            f"{info.name!r} is no tensor: sequences, maps and optional values are not "
            "supported."
        )
    if kind.elem_type not in _TYPES:
        raise UnsupportedOperatorError(
            f"{info.name!r} holds elements of the type "
            f"{onnx.TensorProto.DataType.Name(kind.elem_type)}; supported are numbers of "
            "types that numpy has."
        )
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
    """Return the model with the number of rows that it was traced with as metadata.

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
    model: onnx.ModelProto | bytes | str | os.PathLike[str],
    shapes: Sequence[tuple[int, ...]],
) -> onnx.ModelProto:
    """Return a copy of the model whose inputs have the sizes of given rows.

    Parameters
    ----------
    model : onnx.ModelProto, bytes, str or os.PathLike
        See `as_model`.
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
    sized.CopyFrom(as_model(model))
    weights = {tensor.name for tensor in sized.graph.initializer}
    weights.update(tensor.values.name for tensor in sized.graph.sparse_initializer)
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


def behind_trees(
    model: onnx.ModelProto, attributes: Mapping[str, Any], n_features: int
) -> onnx.ModelProto:
    """Return a model of raw scores with the trees that give these in front.

    Parameters
    ----------
    model : onnx.ModelProto
        Of one input of double precision.
    attributes : mapping
        Of the operator ``TreeEnsembleRegressor``; tensors are arrays.
    n_features : int
    """
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    (scores,), features = whole.graph.input, "features"
    given = {
        name: numpy_helper.from_array(value, name)
        if isinstance(value, np.ndarray)
        else value
        for name, value in attributes.items()
    }
    sums = f"{scores.name}_float"
    # The operator gives single precision, whatever it computes with.
    nodes = (
        onnx.helper.make_node(
            ml_trees.TreeEnsembleRegressor.op_type,
            [features],
            [sums],
            domain=ml_linear.DOMAIN,
            **given,
        ),
        onnx.helper.make_node("Cast", [sums], [scores.name], to=onnx.TensorProto.DOUBLE),
    )
    for node in reversed(nodes):
        whole.graph.node.insert(0, node)
    double = onnx.TensorProto.DOUBLE
    rows = onnx.helper.make_tensor_value_info(features, double, ["n_samples", n_features])
    del whole.graph.input[:]
    whole.graph.input.append(rows)
    whole.opset_import.append(onnx.helper.make_opsetid(ml_linear.DOMAIN, 3))
    onnx.checker.check_model(whole)
    return whole
