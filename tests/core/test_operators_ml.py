"""The operators of ai.onnx.ml: float meanings against onnxruntime, and their bodies."""

import inspect

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, defs, helper

from fhe_estimators.core.frontends.onnx import read_onnx
from fhe_estimators.core.graph import Graph
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import registry
from fhe_estimators.core.operators.ml_linear import DOMAIN
from fhe_estimators.core.rewrite._bodies import modernize, write_out, write_products
from fhe_estimators.exceptions import UnsupportedOperatorError

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=12).round(2).tolist()
#: Two trees: of a split by each mode that is told, and of one split.
NODES = {
    "nodes_treeids": [0, 0, 0, 0, 0, 1, 1, 1],
    "nodes_nodeids": [0, 1, 2, 3, 4, 0, 1, 2],
    "nodes_featureids": [0, 1, 0, 0, 0, 2, 0, 0],
    "nodes_values": [0.25, -0.5, 0.0, 0.0, 0.0, 0.1, 0.0, 0.0],
    "nodes_truenodeids": [1, 3, 0, 0, 0, 1, 0, 0],
    "nodes_falsenodeids": [2, 4, 0, 0, 0, 2, 0, 0],
}
LEAVES = ([0, 0, 0, 1, 1], [2, 3, 4, 1, 2])


def modes(first, second="BRANCH_LEQ"):
    inner = {0: first, 1: second, 5: first}
    return {"nodes_modes": [inner.get(place, "LEAF") for place in range(8)]}


def leaves(kind, ids, weights):
    names = ("treeids", "nodeids", "ids", "weights")
    values = (*LEAVES, ids, weights)
    return {f"{kind}_{n}": v for n, v in zip(names, values, strict=True)}


SVM = {
    "support_vectors": WEIGHTS,
    "kernel_params": [0.3, 0.5, 2.0],
}
CLASSES = {
    **SVM,
    "coefficients": [0.5, -1.0, 0.25, 1.5, 0.3, -0.2, -0.75, 0.6],
    "rho": [0.1, -0.2, 0.3],
    "vectors_per_class": [1, 2, 1],
    "classlabels_strings": ["a", "b", "c"],
}
PAIR = {
    **SVM,
    "coefficients": [0.5, 1.0, -0.25, -1.5],
    "rho": [0.1],
    "vectors_per_class": [2, 2],
    "classlabels_ints": [3, 5],
}
FLOATS, INTS = TensorProto.FLOAT, TensorProto.INT64
#: (operator, attributes, types of results)
CASES = [
    ("Scaler", {"offset": [1.0, 2.0, 3.0], "scale": [0.5, 2.0, 1.0]}, [FLOATS]),
    ("Scaler", {"offset": [1.0], "scale": [0.5]}, [FLOATS]),
    ("Normalizer", {"norm": "L1"}, [FLOATS]),
    ("Normalizer", {"norm": "L2"}, [FLOATS]),
    ("Binarizer", {"threshold": 0.3}, [FLOATS]),
    (
        "Imputer",
        {"imputed_value_floats": [1.0, 2.0, 3.0], "replaced_value_float": float("nan")},
        [FLOATS],
    ),
    ("LinearRegressor", {"coefficients": WEIGHTS[:3], "intercepts": [0.5]}, [FLOATS]),
    ("LinearRegressor", {"coefficients": WEIGHTS[:6], "targets": 2}, [FLOATS]),
    *(
        (
            "LinearClassifier",
            {
                "coefficients": WEIGHTS[:9],
                "intercepts": [0.5, 0.0, -0.5],
                "classlabels_ints": [4, 5, 6],
                "post_transform": post,
            },
            [INTS, FLOATS],
        )
        for post in ("NONE", "SOFTMAX", "LOGISTIC")
    ),
    (
        "LinearClassifier",
        {
            "coefficients": WEIGHTS[:6],
            "intercepts": [0.5, -0.5],
            "classlabels_strings": ["no", "yes"],
        },
        [TensorProto.STRING, FLOATS],
    ),
    *(
        (
            "SVMRegressor",
            {
                **SVM,
                "coefficients": [1.0, -2.0, 0.5, 1.0],
                "rho": [0.25],
                "n_supports": 4,
                "kernel_type": kind,
            },
            [FLOATS],
        )
        for kind in ("LINEAR", "POLY", "RBF", "SIGMOID")
    ),
    ("SVMClassifier", {**CLASSES, "kernel_type": "LINEAR"}, [TensorProto.STRING, FLOATS]),
    ("SVMClassifier", {**CLASSES, "kernel_type": "RBF"}, [TensorProto.STRING, FLOATS]),
    (
        "SVMClassifier",
        {**CLASSES, "prob_a": [-1.0, -0.5, -2.0], "prob_b": [0.1, 0.0, 0.2]},
        [TensorProto.STRING, FLOATS],
    ),
    ("SVMClassifier", PAIR, [INTS, FLOATS]),
    *(
        (
            "TreeEnsembleRegressor",
            {
                **NODES,
                **modes(f"BRANCH_{mode}"),
                **leaves("target", [0] * 5, WEIGHTS[:5]),
                "n_targets": 1,
            },
            [FLOATS],
        )
        for mode in ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ")
    ),
    *(
        (
            "TreeEnsembleRegressor",
            {
                **NODES,
                **modes("BRANCH_LEQ"),
                **leaves("target", [0, 0, 0, 1, 1], WEIGHTS[:5]),
                "n_targets": 2,
                "aggregate_function": aggregate,
                "base_values": [0.5, -0.5],
            },
            [FLOATS],
        )
        for aggregate in ("SUM", "AVERAGE")
    ),
    (
        "TreeEnsembleClassifier",
        {
            **NODES,
            **modes("BRANCH_LEQ"),
            **leaves("class", [0, 1, 2, 1, 2], [0.1, 0.9, 0.4, 0.3, 0.7]),
            "classlabels_strings": ["a", "b", "c"],
            "post_transform": "SOFTMAX",
        },
        [TensorProto.STRING, FLOATS],
    ),
    *(
        (
            "TreeEnsembleClassifier",
            {
                **NODES,
                **modes("BRANCH_LEQ"),
                **leaves("class", [0] * 5, weights),
                "classlabels_int64s": [3, 8],
                "post_transform": post,
            },
            [INTS, FLOATS],
        )
        for weights, post in (
            ([0.1, 0.9, 0.4, 0.0, 0.05], "NONE"),
            ([-0.1, 0.9, 0.4, -0.5, 0.3], "LOGISTIC"),
        )
    ),
]
IDS = [f"{op}-{place}" for place, (op, *_) in enumerate(CASES)]
#: Tested with integers below, or with the data of ONNX.
OTHERS = {
    "ArrayFeatureExtractor",
    "CategoryMapper",
    "FeatureVectorizer",
    "LabelEncoder",
    "OneHotEncoder",
    "TreeEnsemble",
    "ZipMap",
}


def model_of(op, attributes, types, inputs=(("x", FLOATS, [None, 3]),)):
    names = [f"y{place}" for place in range(len(types))]
    node = helper.make_node(op, [i[0] for i in inputs], names, domain=DOMAIN, **attributes)
    graph = helper.make_graph(
        [node],
        op,
        [helper.make_tensor_value_info(*each) for each in inputs],
        [
            helper.make_tensor_value_info(name, kind, None)
            for name, kind in zip(names, types, strict=True)
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def reference(model, **feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, feeds)


def assert_same(found, expected, atol=1e-5):
    for one, other in zip(found, expected, strict=True):
        if other.dtype.kind == "f":
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=atol)
        else:
            np.testing.assert_array_equal(one, other.astype(np.asarray(one).dtype))


OPERATORS = sorted(name for name, cls in registry().items() if cls.domain == DOMAIN)


def test_every_operator_is_tested():
    assert set(OPERATORS) == {op for op, *_ in CASES} | OTHERS


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_float_meaning(case):
    model = model_of(*case)
    rows = X.copy()
    if case[0] == "Imputer":
        rows[::3, 1] = np.nan
    # onnxruntime approaches probabilities of pairs step by step.
    atol = 5e-3 if "prob_a" in case[1] else 1e-5
    assert_same(NumpyModule(model).outputs(rows), reference(model, x=rows), atol)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_body_means_the_same(case):
    graph = modernize(read_onnx(model_of(*case)))
    parts: Graph = write_out(write_products(graph))
    assert_same(NumpyModule(parts).outputs(X), NumpyModule(graph).outputs(X))


@pytest.mark.parametrize(
    "case", [c for c in CASES if c[0].startswith(("Linear", "SVM", "Tree"))]
)
def test_integer_meaning(case):
    module = to_quantized_module(
        model_of(*case), Calibration([X]), Options(BitWidths(10, 10))
    )
    found, expected = module(X), NumpyModule(model_of(*case)).outputs(X)
    found = found if isinstance(found, tuple) else (found,)
    for one, other in zip(found, expected, strict=True):
        if np.asarray(other).dtype.kind == "f":
            assert np.abs(one - other).max() <= 0.15 * np.abs(other).max()
        else:
            assert np.mean(one == other) >= 0.9


@pytest.mark.parametrize(
    "op", sorted(n for n, c in registry().items() if c.domain == DOMAIN)
)
def test_signature_is_that_of_the_specification(op):
    schema, cls = defs.get_schema(op, 5, DOMAIN), registry()[op]
    parameters = inspect.signature(cls.f).parameters.values()
    attributes = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    # The first version of LabelEncoder had a list of texts.
    assert attributes - {"classes_strings"} == schema.attributes.keys()


ONE_INPUT = [("x", INTS, [None, 2])]
CODES = np.array([[0, 2], [1, 7]])


@pytest.mark.parametrize(
    ("op", "attributes", "kind"),
    [
        ("OneHotEncoder", {"cats_int64s": [0, 1, 2]}, FLOATS),
        (
            "LabelEncoder",
            {"keys_int64s": [0, 1, 2], "values_strings": ["a", "b", "c"]},
            TensorProto.STRING,
        ),
        (
            "LabelEncoder",
            {"keys_int64s": [0, 2], "values_floats": [0.5, 2.5], "default_float": 9.0},
            FLOATS,
        ),
        (
            "CategoryMapper",
            {"cats_int64s": [0, 1], "cats_strings": ["a", "b"]},
            TensorProto.STRING,
        ),
    ],
)
def test_integers(op, attributes, kind):
    model = model_of(op, attributes, [kind], ONE_INPUT)
    assert_same(NumpyModule(model).outputs(CODES), reference(model, x=CODES))


def test_feature_vectorizer():
    inputs = [("a", FLOATS, [None, 3]), ("b", FLOATS, [None, 1])]
    model = model_of("FeatureVectorizer", {"inputdimensions": [3, 1]}, [FLOATS], inputs)
    feeds = {"a": X, "b": X[:, :1]}
    assert_same(NumpyModule(model).outputs(*feeds.values()), reference(model, **feeds))


def test_what_is_not_supported_is_named():
    weights = leaves("target", [0] * 5, WEIGHTS[:5])
    nodes = {**NODES, **modes("BRANCH_LEQ"), **weights, "aggregate_function": "MIN"}
    with pytest.raises(UnsupportedOperatorError, match="the min of trees has no encrypted"):
        to_quantized_module(
            model_of("TreeEnsembleRegressor", nodes, [FLOATS]), Calibration([X])
        )
    odd = {"coefficients": WEIGHTS[:3], "post_transform": "SOFTMAX_ZERO"}
    with pytest.raises(UnsupportedOperatorError, match="post_transform 'SOFTMAX_ZERO'"):
        NumpyModule(model_of("LinearRegressor", odd, [FLOATS]))(X)
