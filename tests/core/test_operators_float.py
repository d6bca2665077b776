"""The float meaning of operators against ONNX: its reference and its own test data."""

import functools
import inspect
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import defs, helper, numpy_helper, version_converter
from onnx.backend.test.loader import load_model_tests
from onnx.reference import ReferenceEvaluator

from fhe_estimators.core.frontends.onnx import OPSETS
from fhe_estimators.core.graph import Node
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import ONNX_OPS_TO_NUMPY_IMPL, lookup, registry
from fhe_estimators.exceptions import GraphError, UnsupportedOperatorError
from tests.core.operators.cases import CASES, VARIANTS

OLDEST, NEWEST = OPSETS
OPERATORS = sorted(name for name, cls in registry().items() if not cls.domain)


def typed(name, array):
    dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, dtype, array.shape)


def reference(op, opset, attributes, inputs):
    """Return a model of one node, its inputs (less those left out) and ONNX's results."""
    attributes = {
        name: numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
        for name, value in attributes.items()
    }
    names = ["" if array is None else f"x{place}" for place, array in enumerate(inputs)]
    feeds = {name: array for name, array in zip(names, inputs, strict=True) if name}
    # The parts that a tensor is split into; all other cases are of the first result.
    results = [f"y{place}" for place in range(2 if op == "Split" else 1)]
    graph = helper.make_graph(
        [helper.make_node(op, names, results, **attributes)],
        op,
        [typed(name, array) for name, array in feeds.items()],
        [onnx.ValueInfoProto(name=name) for name in results],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
    )
    expected = [np.asarray(y) for y in ReferenceEvaluator(model).run(None, feeds)]
    for place, (name, array) in enumerate(zip(results, expected, strict=True)):
        model.graph.output[place].CopyFrom(typed(name, array))
    return model, list(feeds.values()), expected


def assert_same(result, expected, rtol, atol):
    """Compare arrays, or sequences of them, and their types."""
    if isinstance(expected, list):
        for one_result, one_expected in zip(result, expected, strict=True):
            assert_same(one_result, one_expected, rtol, atol)
    else:
        assert np.asarray(result).dtype == expected.dtype
        np.testing.assert_allclose(result, expected, rtol=rtol, atol=atol)


def test_every_operator_has_a_case():
    assert sorted(CASES) == OPERATORS == sorted(ONNX_OPS_TO_NUMPY_IMPL)


@pytest.mark.parametrize(
    ("op", "opset", "attributes", "inputs"),
    [
        *(pytest.param(op, NEWEST, *case, id=op) for op, case in CASES.items()),
        *(pytest.param(*v, id=f"{v[0]}-{place}") for place, v in enumerate(VARIANTS)),
    ],
)
def test_case_equals_the_reference(op, opset, attributes, inputs):
    model, arrays, expected = reference(op, opset, attributes, inputs)
    assert_same(NumpyModule(model).outputs(*arrays), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("opset", range(OLDEST, NEWEST + 1))
def test_signature_is_that_of_the_specification(op, opset):
    """Same number of inputs, same attributes, same defaults."""
    if not defs.has(op, opset):
        with pytest.raises(UnsupportedOperatorError, match=f"the model has {opset}"):
            lookup(op, opset)
        return
    schema, cls = defs.get_schema(op, opset), lookup(op, opset)
    parameters = inspect.signature(cls.f).parameters.values()
    attributes = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert len(parameters) - len(attributes) == len(schema.inputs)
    if (op, opset) == ("Reshape", 13):
        del attributes["allowzero"]  # came with opset 14; 0 is what 13 does
    assert attributes.keys() | cls.refuses.keys() == schema.attributes.keys()
    for name, default in attributes.items():
        proto = schema.attributes[name].default_value
        if schema.attributes[name].required:
            assert default is inspect.Parameter.empty
        elif not proto.name:
            assert default is None
        elif isinstance(default, float):
            assert np.float32(default) == np.float32(helper.get_attribute_value(proto))
        elif isinstance(default, str):
            assert default == helper.get_attribute_value(proto).decode()
        else:
            assert default == helper.get_attribute_value(proto)


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("opset", range(OLDEST, NEWEST + 1))
def test_default_of_an_attribute_is_accepted(op, opset):
    """Exporters write attributes that have their default value, too."""
    if not defs.has(op, opset):
        return
    schema = defs.get_schema(op, opset)
    defaults = {
        name: helper.get_attribute_value(attribute.default_value)
        for name, attribute in schema.attributes.items()
        if attribute.default_value.name
    }
    required = {name: [1] for name, attr in schema.attributes.items() if attr.required}
    lookup(op, opset)(Node(op, ("x",), ("y",), {**required, **defaults}))


def test_optional_results_that_nobody_reads():
    """Exporters may name a second result of MaxPool; nothing has to compute it."""
    model, arrays, (expected,) = reference("MaxPool", 17, *CASES["MaxPool"])
    for name in ("places", ""):
        del model.graph.node[0].output[1:]
        model.graph.node[0].output.append(name)
        assert_same(NumpyModule(model)(*arrays), expected, rtol=1e-6, atol=0)


# The data that ONNX ships for its own tests ---------------------------------------------

#: What we refuse. Pattern of the names of cases -> (error, pattern of its message).
EXPECTED_REFUSALS = {
    # Attributes, modes and types of elements that are newer than the newest opset.
    r"averagepool_(2d|3d)_dilations.*": (UnsupportedOperatorError, "opset 19"),
    r"cast_.*(FLOAT8|INT4|BFLOAT16).*": (UnsupportedOperatorError, "opset 21"),
    r"castlike_.*": (UnsupportedOperatorError, "opset 21"),
    r"equal_string(_broadcast)?": (UnsupportedOperatorError, "opset 19"),
    r"identity_sequence": (UnsupportedOperatorError, "opset 21"),
    r"reduce_(max|min)_bool_inputs": (UnsupportedOperatorError, "opset 20"),
    # Older than the oldest opset, and changed since.
    r"celu_expanded": (UnsupportedOperatorError, "opset 12"),
    r"dropout_(default|random)_old": (UnsupportedOperatorError, "opset 11"),
    # numpy has no such type of elements.
    r"cast_FLOAT_to_STRING": (UnsupportedOperatorError, "the element type 8"),
    # We compute predictions; training drops at random and normalizes batches.
    r"batchnorm_.*_training_mode": (UnsupportedOperatorError, "in training mode"),
    r"training_dropout(_default)?": (UnsupportedOperatorError, "in training mode"),
    # The second result of Dropout tells what training dropped.
    r"(training_)?dropout_.*mask(_ratio)?": (GraphError, "nothing writes the output 'z'"),
    # The second result of MaxPool tells where the largest elements are.
    r"maxpool_with_argmax.*": (UnsupportedOperatorError, "second result"),
}

#: At least so many of ONNX's cases have to give ONNX's results.
FEWEST = 526


@functools.cache
def onnx_cases():
    """Return (case, model) by name for the models that hold registered operators only.

    ONNX ships one version of each case, at the opset in which the operator last changed.
    Such a model is stamped as one of the newest opset that we read if all its operators
    mean the same there, which is to say that their specification is the same.
    """
    found = {}
    for case in load_model_tests(kind="node"):
        model = onnx.load(Path(case.model_dir) / "model.onnx")
        operators = {node.op_type for node in model.graph.node}
        if operators.issubset(OPERATORS):
            found[case.name] = case, _stamped(model, operators)
    return found


def _stamped(model, operators):
    (opset,) = (entry.version for entry in model.opset_import if not entry.domain)
    values = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    types = {_type(value) for value in values}
    if not OLDEST <= opset <= NEWEST and all(
        _means_the_same(node, opset, types) for node in model.graph.node
    ):
        del model.opset_import[:]
        model.opset_import.append(helper.make_opsetid("", NEWEST))
    return model


def _type(value):
    """Return the type of a tensor as ONNX's specification writes it."""
    element = value.type.tensor_type.elem_type
    return f"tensor({onnx.TensorProto.DataType.Name(element).lower()})"


def _means_the_same(node, opset, types):
    """Tell if the operator's version of `opset` says no more than the newest that we read.

    It does not if only the types of tensors, beyond `types`, and attributes that the node
    does not set have come since.
    """
    theirs, ours = (defs.get_schema(node.op_type, version) for version in (opset, NEWEST))
    if opset < NEWEST:
        return theirs.since_version == ours.since_version
    attributes = {attribute.name for attribute in node.attribute}
    allowed = {t for c in ours.type_constraints for t in c.allowed_type_strs}
    allowed.update(t for value in (*ours.inputs, *ours.outputs) for t in value.types)
    allowed.discard("tensor(bfloat16)")  # numpy has no such type
    return (
        [value.name for value in theirs.inputs] == [value.name for value in ours.inputs]
        and attributes <= ours.attributes.keys()
        and types <= allowed
    )


def _array(path, kind):
    """Read a tensor, or a sequence of tensors, from a file of test data."""
    data = path.read_bytes()
    if kind.HasField("tensor_type"):
        return numpy_helper.to_array(onnx.TensorProto.FromString(data))
    if kind.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    return numpy_helper.to_optional(onnx.OptionalProto.FromString(data))


def check_results(case, model):
    """Compare our results on a case's data with those that ONNX expects."""
    folders = sorted(Path(case.model_dir).glob("test_data_set_*"))
    assert folders
    for folder in folders:
        inputs, expected = (
            [
                _array(folder / f"{kind}_{place}.pb", value.type)
                for place, value in enumerate(values)
            ]
            for kind, values in (
                ("input", model.graph.input),
                ("output", model.graph.output),
            )
        )
        # A logarithm of zero is minus infinity for ONNX, and worth no word.
        with np.errstate(divide="ignore"):
            results = NumpyModule(model)(*inputs)
        results = results if isinstance(results, tuple) else (results,)
        assert_same(list(results), expected, case.rtol, case.atol)


def refusal(name):
    """Return the error and its message for a case that we refuse, else None."""
    matches = [
        value
        for pattern, value in EXPECTED_REFUSALS.items()
        if re.fullmatch(f"test_{pattern}", name)
    ]
    assert len(matches) <= 1
    return matches[0] if matches else None


def pytest_generate_tests(metafunc):
    names = sorted(onnx_cases()) if "onnx_case" in metafunc.fixturenames else []
    if metafunc.function is test_refused_case_after_conversion:
        names = [n for n in names if re.match("test_(flatten|(un)?squeeze|transpose)", n)]
    if names:
        metafunc.parametrize("onnx_case", names)


def test_onnx_data(onnx_case):
    case, model = onnx_cases()[onnx_case]
    expected = refusal(onnx_case)
    if expected is None:
        check_results(case, model)
    else:
        error, message = expected
        with pytest.raises(error, match=message):
            check_results(case, model)


def test_refused_case_after_conversion(onnx_case):
    """What the message of the refusal advises helps, where ONNX can convert."""
    case, model = onnx_cases()[onnx_case]
    check_results(case, version_converter.convert_version(model, NEWEST))


def test_no_case_is_lost():
    """No test above skips anything: a case gives ONNX's result, or is refused by name."""
    refused = [name for name in onnx_cases() if refusal(name)]
    assert len(onnx_cases()) - len(refused) >= FEWEST
    for pattern in EXPECTED_REFUSALS:
        assert any(re.fullmatch(f"test_{pattern}", name) for name in refused), pattern
