"""Find a tree ensemble in a float graph and read it as data.

Tree ensembles are exported as three matrix products [1]_: which comparisons hold, whether
all of the path to a leaf do, and the value of that leaf::

    Gemm -> LessOrEqual -> MatMul -> Equal -> MatMul -> (sum over trees)

References
----------
.. [1] S. Nakandala et al., "A Tensor Compiler for Unified Machine Learning Prediction
   Serving", OSDI 2020 (the strategy "GEMM" of Hummingbird).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from fhe_estimators.core.graph import Graph, Node, Value, evaluate
from fhe_estimators.core.operators import kinds_of, operators_of
from fhe_estimators.core.operators.ml_trees import Trees
from fhe_estimators.core.operators.tree_nodes import TreeNodes
from fhe_estimators.core.rewrite._clean import clean
from fhe_estimators.core.trees.partitions import ANY, Bounds, complement, intersection
from fhe_estimators.core.trees.tree import Leaf, SplitNode, Tree, split_by


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Trees whose values add up.

    Parameters
    ----------
    trees : tuple of Tree
        Leaves hold real values, of shape (n_outputs,). Edge `j` of a feature is the
        threshold ``thresholds[feature][j]``: a row goes below if it is not greater.
    thresholds : mapping of int to ndarray of float64
        The different thresholds of each feature that is compared, sorted. Infinity divides
        numbers from missing values.
    n_features : int
    codes : mapping of int to ndarray of float64
        The numbers that values of features are equal to or not, of those of which it is
        asked: each is a threshold, and so is the number before.
    """

    trees: tuple[Tree, ...]
    thresholds: Mapping[int, np.ndarray]
    n_features: int
    codes: Mapping[int, np.ndarray] = field(default_factory=dict)


def recognize(graph: Graph) -> tuple[Ensemble, Graph] | None:
    """Split a float graph into a tree ensemble and what follows its sum.

    Parameters
    ----------
    graph : Graph
        Clean, see `fhe_estimators.core.rewrite.clean`.

    Returns
    -------
    found : (Ensemble, Graph) or None
        None if the graph does not begin with a tree ensemble.
    """
    if len(graph.inputs) != 1:
        return None
    try:
        return _of_operator(graph) or _recognized(graph)
    except _OtherGraph:
        return None


class _OtherGraph(Exception):
    """The graph is not that of a tree ensemble."""


def _of_operator(graph: Graph) -> tuple[Ensemble, Graph] | None:
    """Return what `recognize` does of a graph whose first node holds all trees."""
    walk = _Walk(graph)
    node = walk.pass_layouts()
    operator = None if node is None else operators_of(graph)(node)
    nodes = operator.added() if isinstance(operator, Trees) else None
    if node is None or nodes is None:
        return None
    (source,) = graph.inputs
    n_features = int(nodes.feature.max()) + 1
    if source.shape is not None and len(source.shape) == 2 and source.shape[1] is not None:
        n_features = source.shape[1]
    edges: dict[int, np.ndarray] = {}
    codes: dict[int, np.ndarray] = {}
    inner = ~nodes.is_leaf
    for feature in np.unique(nodes.feature[inner]).tolist():
        at = inner & (nodes.feature == feature)
        # To be equal is to be not greater, but greater than the number before.
        codes[feature] = np.unique(nodes.value[at & nodes.equals])
        before = np.nextafter(codes[feature], -np.inf)
        edges[feature] = np.unique([*nodes.value[at], *before, np.inf])
    trees = [_of_nodes(int(root), nodes, edges) for root in nodes.roots]
    rest = replace(
        graph,
        nodes=tuple(other for other in graph if other not in [*walk.passed, node]),
        inputs=(Value(node.outputs[0], (None, nodes.weights.shape[1])),),
    )
    return Ensemble(tuple(trees), edges, n_features, codes), clean(rest)


def _of_nodes(root: int, nodes: TreeNodes, edges: Mapping[int, np.ndarray]) -> Tree:
    def grown(node: int) -> Tree:
        if nodes.is_leaf[node]:
            return Leaf(nodes.weights[node])
        feature, true = int(nodes.feature[node]), nodes.true[node]
        below = _goes_to_true(node, nodes, edges[feature])
        false = nodes.false[node]
        # One of several categories: a chain of nodes that lead to the same one.
        while nodes.false[false] >= 0 and (
            nodes.equals[node]
            and nodes.equals[false]
            and nodes.feature[false] == feature
            and nodes.true[false] == true
        ):
            more = _goes_to_true(false, nodes, edges[feature])
            below = complement(intersection(complement(below), complement(more)))
            false = nodes.false[false]
        return split_by(feature, below, grown(int(true)), grown(int(false)))

    return grown(root)


def _goes_to_true(node: int, nodes: TreeNodes, edges: np.ndarray) -> Bounds:
    """Return the bins between edges whose rows go to the true branch of a node."""
    value = nodes.value[node]
    high = int(np.searchsorted(edges, value))
    low = ANY[0]
    if nodes.equals[node]:
        low = int(np.searchsorted(edges, np.nextafter(value, -np.inf)))
    missing = (len(edges) - 1, ANY[1]) if nodes.missing_true[node] else ()
    return complement(intersection(complement((low, high)), complement(missing)))


def _recognized(graph: Graph) -> tuple[Ensemble, Graph]:
    walk = _Walk(graph)
    _, selection = walk.reach("Gemm", constant=0)
    comparison, thresholds = walk.reach("LessOrEqual", "Less", constant=1)
    _, paths = walk.reach("MatMul", constant=0)
    _, counts = walk.reach("Equal", constant=0)
    _, values = walk.reach("MatMul", constant=0)
    if paths.ndim != 3 or values.ndim != 3:
        raise _OtherGraph
    n_trees, n_leaves, n_nodes = paths.shape
    total = walk.sum_over_trees(n_trees, values.shape[1])

    features = _selected(selection).reshape(n_trees, n_nodes)
    thresholds = np.broadcast_to(thresholds.reshape(-1), (n_trees * n_nodes,))
    thresholds = thresholds.reshape(n_trees, n_nodes).astype(np.float64)
    if comparison == "Less":
        thresholds = np.nextafter(thresholds, -np.inf)
    used = paths.any(axis=1)
    if (features[used] < 0).any():
        raise _OtherGraph
    distinct = {
        feature: np.unique(thresholds[used & (features == feature)])
        for feature in np.unique(features[used]).tolist()
    }
    counts = np.broadcast_to(counts.reshape(-1), (n_trees * n_leaves,))
    trees = []
    for tree in range(n_trees):
        splits = {
            node: (f := int(features[tree, node]), int(np.searchsorted(distinct[f], t)))
            for node, t in enumerate(thresholds[tree])
            if used[tree, node]
        }
        leaf_values = (total[tree] @ values[tree]).T.astype(np.float64)
        tree_counts = counts[tree * n_leaves : (tree + 1) * n_leaves]
        trees.append(_tree(paths[tree], tree_counts, leaf_values, splits))
    rest = replace(
        graph,
        nodes=tuple(node for node in graph if node not in walk.passed),
        inputs=(Value(walk.name, (None, total.shape[1])),),
    )
    return Ensemble(tuple(trees), distinct, selection.shape[1]), clean(rest)


class _Walk:
    """Follows the one path from the input through a graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._kind_of = kinds_of(graph)
        self.passed: list[Node] = []
        self.name = graph.inputs[0].name

    def _next(self) -> Node | None:
        """Return the node that reads the last result, None if not exactly one does."""
        readers = [node for node in self._graph if self.name in node.inputs]
        is_output = any(value.name == self.name for value in self._graph.outputs)
        return readers[0] if len(readers) == 1 and not is_output else None

    def _pass(self, node: Node) -> None:
        self.passed.append(node)
        (self.name,) = node.outputs

    def pass_layouts(self) -> Node | None:
        """Pass what leaves rows as they are and return the node behind it, if it is one."""
        node = self._next()
        while node is not None and self._kind_of(node).keeps_order:
            self._pass(node)
            node = self._next()
        return node

    def reach(self, *operators: str, constant: int) -> tuple[str, np.ndarray]:
        """Pass the next node, one of `operators`; return its operator and its constant."""
        node = self.pass_layouts()
        if node is None or node.op not in operators or len(node.inputs) != 2:
            raise _OtherGraph
        array = self._graph.constants.get(node.inputs[constant])
        scaled = node.attributes.get("alpha", 1.0) != 1.0
        transposed = node.attributes.get("transA"), node.attributes.get("transB")
        if array is None or scaled or (node.op == "Gemm" and transposed != (None, 1)):
            raise _OtherGraph
        self._pass(node)
        return node.op, array

    def _is_linear(self, node: Node) -> bool:
        """Tell whether a node leaves a linear map of the values of leaves what it is."""
        kind, constants = self._kind_of(node), {"", *self._graph.constants}
        others = [name for name in node.inputs if name != self.name]
        linear = kind.additive and not kind.is_product and len(node.outputs) == 1
        return linear and constants.issuperset(others)

    def sum_over_trees(self, n_trees: int, n_values: int) -> np.ndarray:
        """Pass the nodes that combine the values of trees linearly; return the weights.

        Returns
        -------
        weights : ndarray of shape (n_trees, n_outputs, n_values)
        """
        n_units = n_trees * n_values
        # One more row, of zeros: rows are not taken for anything else, and what it becomes
        # is a constant that was added.
        units = np.eye(n_units, n_units + 1).reshape(n_trees, n_values, -1)
        start, passed = self.name, len(self.passed)
        found = None
        while (node := self._next()) is not None and self._is_linear(node):
            self._pass(node)
            part = replace(self._graph, nodes=tuple(self.passed[passed:]))
            result = evaluate(part, {start: units}, operators_of(part))[self.name]
            if result.ndim == 2 and len(result) == n_units + 1 and not result[-1].any():
                found = self.name, len(self.passed), result[:-1]
        if found is None:
            raise _OtherGraph
        self.name, kept, sums = found
        del self.passed[kept:]
        weights: np.ndarray = sums.reshape(n_trees, n_values, -1).transpose(0, 2, 1)
        return weights


def _selected(selection: np.ndarray) -> np.ndarray:
    """Return the feature that each row of a matrix selects, -1 for a row of zeros."""
    if not np.isin(selection, (0, 1)).all() or (selection.sum(axis=1) > 1).any():
        raise _OtherGraph
    return np.where(selection.any(axis=1), selection.argmax(axis=1), -1)


def _tree(
    paths: np.ndarray,
    counts: np.ndarray,
    values: np.ndarray,
    splits: Mapping[int, tuple[int, int]],
) -> Tree:
    """Return the tree of leaves that are given by their paths.

    Parameters
    ----------
    paths : ndarray of shape (n_leaves, n_nodes)
        1 if a leaf lies below the node, -1 if above, 0 if neither.
    counts : ndarray of shape (n_leaves,)
        How many of the comparisons on the path hold; others mark leaves never reached.
    values : ndarray of shape (n_leaves, n_outputs)
    splits : mapping of int to (int, int)
        Feature and edge of each node.
    """
    reachable = counts == (paths == 1).sum(axis=1)
    impossible = (counts > (paths == 1).sum(axis=1)) | (counts < -(paths == -1).sum(axis=1))
    if not (reachable | impossible).all() or not np.isin(paths, (-1, 0, 1)).all():
        raise _OtherGraph
    # Small trees are filled up with leaves that always hold and add nothing.
    fillers = ~paths.any(axis=1) & ~values.any(axis=1)
    if (reachable & ~fillers).any():
        reachable &= ~fillers

    def grown(leaves: np.ndarray) -> Tree:
        if len(leaves) == 1:
            return Leaf(values[leaves[0]])
        # A node that all these leaves lie below or above, and some on each side.
        turns = paths[leaves]
        divides = np.flatnonzero(turns.all(axis=0) & (turns != turns[:1]).any(axis=0))
        if not len(divides):
            raise _OtherGraph
        node = int(divides[0])
        side = turns[:, node]
        return SplitNode(*splits[node], grown(leaves[side == 1]), grown(leaves[side == -1]))

    return grown(np.flatnonzero(reachable))
