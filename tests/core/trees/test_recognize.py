"""Ensembles are found in the graphs that Hummingbird exports, and in no others."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import ensemble, tree
from sklearn.datasets import load_iris

from fhe_estimators.core.frontends.torch import export_linear, export_torch, export_trees
from fhe_estimators.core.frontends.trees import TreeArrays, matrices
from fhe_estimators.core.graph import Node
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.rewrite import clean
from fhe_estimators.core.trees import TreeOptions, evaluate_tree, leaves, recognize
from tests.converted import converted

X, y = load_iris(return_X_y=True)
X = X.astype(np.float32)

MODELS = {
    "decision tree": tree.DecisionTreeClassifier(max_depth=4),
    "stump": tree.DecisionTreeClassifier(max_depth=1),
    "regression tree": tree.DecisionTreeRegressor(max_depth=4),
    "random forest": ensemble.RandomForestClassifier(5, max_depth=3),
    "forest of regression": ensemble.RandomForestRegressor(5, max_depth=3),
    "extra trees": ensemble.ExtraTreesClassifier(5, max_depth=3),
    "boosting": ensemble.GradientBoostingClassifier(n_estimators=3),
    "boosting of regression": ensemble.GradientBoostingRegressor(n_estimators=3),
    "histogram boosting": ensemble.HistGradientBoostingClassifier(max_iter=3),
    "isolation forest": ensemble.IsolationForest(n_estimators=3, max_samples=16),
}


def exported(model):
    """Return a fitted model as Hummingbird exports it."""
    module = converted(model.fit(X, y), X, tree_implementation="gemm")
    return export_torch(module, [X[:2]])


@pytest.mark.parametrize("name", MODELS)
def test_graphs_of_hummingbird(name):
    """Ensemble and rest compute what the graph does."""
    graph = clean(NumpyModule(exported(MODELS[name])).graph)
    found, rest = recognize(graph)
    bins = np.zeros(X.shape, np.int64)
    for feature, thresholds in found.thresholds.items():
        bins[:, feature] = np.searchsorted(thresholds, X[:, feature])
    scores = sum(evaluate_tree(tree, bins) for tree in found.trees)
    assert found.n_features == X.shape[1]
    expected, computed = NumpyModule(graph).outputs(X), NumpyModule(rest).outputs(scores)
    for a, b in zip(expected, computed, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_imported_ensemble_is_served():
    """An ONNX graph of that form becomes tables, with its own thresholds as edges."""
    model = exported(MODELS["random forest"])
    module = to_quantized_module(
        model, Calibration([X]), Options(trees=TreeOptions(tolerance=1e-3))
    )
    assert any(node.op == "TableLookup" for node in module.graph)
    labels, probabilities = NumpyModule(model)(X)
    found_labels, found = module(X)
    np.testing.assert_array_equal(found_labels, labels)
    np.testing.assert_allclose(found, probabilities, atol=0.01)


def arrays(n_outputs=2):
    return TreeArrays(
        np.array([0, 1, -1, -1, -1]),
        np.array([0.5, 0.25, 0.0, 0.0, 0.0]),
        np.array([1, 2, -1, -1, -1]),
        np.array([4, 3, -1, -1, -1]),
        np.arange(5 * n_outputs, dtype=float).reshape(5, n_outputs),
    )


def test_own_export_is_recognized():
    model = export_trees([arrays(), arrays()], 3, np.array([1.0, 2.0]))
    found, rest = recognize(clean(NumpyModule(model).graph))
    assert [node.op for node in rest] == ["Add"]
    assert found.n_features == 3
    assert {feature: t.tolist() for feature, t in found.thresholds.items()} == {
        0: [0.5],
        1: [0.25],
    }
    values = [leaf.value.tolist() for leaf in leaves(found.trees[0])]
    assert values == [[4.0, 5.0], [6.0, 7.0], [8.0, 9.0]]


@pytest.mark.parametrize("number", [0.0, 1.0])
def test_a_constant_beside_the_sums_is_no_value_of_a_leaf(number):
    """Zeros may be: a margin of ones stays with the client."""
    graph = clean(NumpyModule(export_trees([arrays()], 3, np.array([1.0, 2.0]))).graph)
    *others, last = graph.nodes
    margin = Node("Pad", (last.inputs[0], "widths", "number"), ("padded",))
    added = replace(last, inputs=("padded", "ones"))
    constants = {
        **graph.constants,
        "widths": np.array([0, 0, 0, 1]),
        "number": np.array(number),
        "ones": np.ones((1, 3)),
    }
    graph = replace(graph, nodes=(*others, margin, added), constants=constants)
    found, rest = recognize(graph)
    assert [node.op for node in rest] == (["Pad", "Add"] if number else ["Add"])
    bins = np.column_stack([X[:, 0] > 0.5, X[:, 1] > 0.25, X[:, 2] > 0]).astype(int)
    scores = sum(evaluate_tree(tree, bins) for tree in found.trees)
    meant = NumpyModule(graph)(X[:, :3])
    np.testing.assert_allclose(NumpyModule(rest)(scores), meant, atol=1e-6)


def test_thresholds_are_not_rounded():
    """Single precision, Hummingbird's, would move this one."""
    tree = arrays()._replace(threshold=np.array([0.1, 1 / 3, 0.0, 0.0, 0.0]))
    model = export_trees([tree], 2, np.zeros(2))
    found, _ = recognize(clean(NumpyModule(model).graph))
    assert found.thresholds[1] == 1 / 3
    rows = np.array([[0.1, 1 / 3], [0.1, np.nextafter(1 / 3, 1)], [0.2, 0.0]])
    expected = np.array([[4.0, 5.0], [6.0, 7.0], [8.0, 9.0]])
    np.testing.assert_array_equal(NumpyModule(model)(rows), expected)


def test_other_graphs_are_not_recognized():
    linear = export_linear(np.ones((1, 3)), np.zeros(1), "sigmoid")
    assert recognize(clean(NumpyModule(linear).graph)) is None


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("selection", lambda array: array * 2),
        ("selection", lambda array: np.ones_like(array)),
        ("paths", lambda array: array * 2),
        ("counts", lambda array: array - 1),
    ],
)
def test_almost_an_ensemble(name, change):
    """What only looks like an ensemble is left alone, not computed wrongly."""
    graph = clean(NumpyModule(export_trees([arrays()], 3, np.zeros(2))).graph)
    changed = {
        key: change(array) if key.endswith(name) else array
        for key, array in graph.constants.items()
    }
    assert any(changed[key] is not graph.constants[key] for key in changed)
    assert recognize(replace(graph, constants=changed)) is None


def test_too_many_leaves_for_matrices():
    n_nodes = 2**15 + 1
    inner = n_nodes // 2
    places = np.arange(n_nodes)
    left = np.where(places < inner, 2 * places + 1, -1)
    tree = TreeArrays(
        np.zeros(n_nodes, int),
        np.arange(n_nodes, dtype=float),
        left,
        left + (left > 0),
        np.zeros((n_nodes, 1)),
    )
    with pytest.raises(ValueError, match="max_depth"):
        matrices([tree, tree], 1)
