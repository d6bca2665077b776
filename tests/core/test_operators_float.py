"""The float meaning of operators against ONNX: its reference and its own test data."""

import functools
import inspect
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import defs, helper, numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.reference import ReferenceEvaluator

from fhe_estimators.core.graph import NEWEST_OPSET, Graph, Node, Value
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import (
    ONNX_OPS_TO_NUMPY_IMPL,
    is_newest,
    lookup,
    registry,
)
from fhe_estimators.core.rewrite._bodies import modernize, write_out
from fhe_estimators.exceptions import UnsupportedOperatorError
from tests.core.operators.cases import CASES
from tests.core.operators.refusals import EXPECTED_REFUSALS, OTHER_RESULTS
from tests.core.operators.variants import VARIANTS

NEWEST = NEWEST_OPSET
OPERATORS = sorted(name for name, cls in registry().items() if not cls.domain)


#: The reference does not saturate these, or lacks versions.
ELSEWHERE = ("DequantizeLinear", "QLinearConv", "QLinearMatMul", "QuantizeLinear")
#: The reference knows no old versions of these; onnxruntime does.
OLD_ELSEWHERE = (
    "BatchNormalization",
    "ConvTranspose",
    "Hardmax",
    "LogSoftmax",
    "LpNormalization",
    "Resize",
    "Softmax",
    "TopK",
    "Upsample",
)


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
    # All cases but those are of the first result.
    results = [f"y{place}" for place in range(2 if op in ("Split", "TopK") else 1)]
    graph = helper.make_graph(
        [helper.make_node(op, names, results, **attributes)],
        op,
        [typed(name, array) for name, array in feeds.items()],
        [onnx.ValueInfoProto(name=name) for name in results],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
    )
    if op in ELSEWHERE or (op in OLD_ELSEWHERE and opset < 13):
        session = onnxruntime.InferenceSession(model.SerializeToString())
        expected = session.run(None, feeds)
    else:
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


def newest_of(op):
    """Return the newest opset that has an operator."""
    deprecated = defs.get_schema(op, NEWEST).deprecated
    return 9 if deprecated else NEWEST


ALL_CASES = [
    *(pytest.param(op, newest_of(op), *case, id=op) for op, case in CASES.items()),
    *(pytest.param(*v, id=f"{v[0]}-{place}") for place, v in enumerate(VARIANTS)),
]


def test_every_operator_has_a_case():
    assert sorted(CASES) == OPERATORS == sorted(ONNX_OPS_TO_NUMPY_IMPL)


@pytest.mark.parametrize("op", OPERATORS)
def test_every_version_has_a_case(op):
    """Versions with another meaning are classes of their own."""
    versions = {lookup(op, opset) for opset in range(1, NEWEST + 1) if known(op, opset)}
    tested = {lookup(op, NEWEST), *(lookup(op, v[1]) for v in VARIANTS if v[0] == op)}
    assert versions == tested


def known(op, opset):
    try:
        return bool(lookup(op, opset))
    except UnsupportedOperatorError:
        return False


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(each.values, id=each.id)
        for each in ALL_CASES
        if lookup(*each.values[:2]).body
    ],
)
def test_body_means_the_same(case):
    """Written out in other operators, a node gives what it gives."""
    op, opset, attributes, inputs = case
    names = ["" if array is None else f"x{place}" for place, array in enumerate(inputs)]
    given = {name: array for name, array in zip(names, inputs, strict=True) if name}
    outputs = tuple(f"y{place}" for place in range(2 if op in ("Split", "TopK") else 1))
    # Parameters are constants.
    constants = {name: array for name, array in given.items() if name != "x0"}
    graph = Graph(
        (Node(op, tuple(names), outputs, attributes),),
        tuple(Value(k, v.shape) for k, v in given.items() if k not in constants),
        tuple(map(Value, outputs)),
        constants,
        opset=opset,
    )
    rows = [given[value.name] for value in graph.inputs]
    parts = write_out(modernize(graph))
    assert all(is_newest(lookup(node.op, NEWEST)) for node in parts)
    expected, found = NumpyModule(graph).outputs(*rows), NumpyModule(parts).outputs(*rows)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("op", "opset", "attributes", "inputs"),
    ALL_CASES,
)
def test_case_equals_the_reference(op, opset, attributes, inputs):
    model, arrays, expected = reference(op, opset, attributes, inputs)
    assert_same(NumpyModule(model).outputs(*arrays), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("opset", range(7, NEWEST + 1))
def test_signature_is_that_of_the_specification(op, opset):
    """Same inputs, same attributes, same defaults; and what has come since, optional."""
    if not defs.has(op, opset):
        with pytest.raises(UnsupportedOperatorError, match=f"the model has {opset}"):
            lookup(op, opset)
        return
    schema, cls = defs.get_schema(op, opset), lookup(op, opset)
    newest = defs.get_schema(op, NEWEST)
    parameters = inspect.signature(cls.f).parameters.values()
    attributes = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    inputs = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
    for parameter in inputs[len(schema.inputs) :]:
        assert parameter.default is None
    assert len(schema.inputs) <= len(inputs) <= max(len(newest.inputs), len(schema.inputs))
    known = attributes.keys() | cls.refuses.keys()
    assert schema.attributes.keys() <= known
    assert known <= schema.attributes.keys() | newest.attributes.keys()
    for name, default in attributes.items():
        attribute = schema.attributes.get(name, newest.attributes.get(name))
        proto = attribute.default_value
        if attribute.required and newest.attributes.get(name, attribute).required:
            assert default is inspect.Parameter.empty
        elif not proto.name:
            assert default is None
        elif isinstance(default, float):
            assert np.float32(default) == np.float32(helper.get_attribute_value(proto))
        elif isinstance(default, str):
            assert default == helper.get_attribute_value(proto).decode()
        elif isinstance(default, tuple):
            values = helper.get_attribute_value(proto)
            assert default == tuple(getattr(v, "decode", lambda v=v: v)() for v in values)
        else:
            assert default == helper.get_attribute_value(proto)


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("opset", range(7, NEWEST + 1))
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

#: At least so many of ONNX's cases have to give ONNX's results.
FEWEST = 840


@functools.cache
def onnx_cases():
    """Return (case, model) by name for the models that hold registered operators only."""
    found = {}
    for case in load_model_tests(kind="node"):
        model = onnx.load(Path(case.model_dir) / "model.onnx")
        if {node.op_type for node in model.graph.node}.issubset(OPERATORS):
            found[case.name] = case, model
    return found


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
        with np.errstate(all="ignore"):
            results = NumpyModule(model).outputs(*inputs)
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
    if "onnx_case" in metafunc.fixturenames:
        metafunc.parametrize("onnx_case", sorted(onnx_cases()))


def test_onnx_data(onnx_case):
    case, model = onnx_cases()[onnx_case]
    expected = refusal(onnx_case)
    if onnx_case.removeprefix("test_") in OTHER_RESULTS:
        with pytest.raises(AssertionError):
            check_results(case, model)
    elif expected is None:
        check_results(case, model)
    else:
        error, message = expected
        with pytest.raises(error, match=message):
            check_results(case, model)


def test_no_case_is_lost():
    """No test above skips anything: a case gives ONNX's result, or is refused by name."""
    refused = [name for name in onnx_cases() if refusal(name)]
    assert len(onnx_cases()) - len(refused) >= FEWEST
    for pattern in EXPECTED_REFUSALS:
        assert any(re.fullmatch(f"test_{pattern}", name) for name in refused), pattern
