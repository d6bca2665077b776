"""Random ensembles of trees, and what they are compared by, for several files."""

import math

import numpy as np
from hypothesis import strategies as st

from fhe_estimators.core.circuit._bounds import extremes
from fhe_estimators.core.engine import ClearProgram
from fhe_estimators.core.frontends.trees import TreeArrays, matrices
from fhe_estimators.core.graph import INTEGER, Graph, Node, Value, check
from fhe_estimators.core.operators import supported
from fhe_estimators.core.trees import (
    BinEdges,
    Bits,
    Leaf,
    SplitNode,
    TableSum,
    leaves,
    mapped,
    recognize,
    simplified,
)
from fhe_estimators.core.trees.leaves import on_bins
from fhe_estimators.core.trees.partitions import ANY, _joined
from fhe_estimators.core.trees.tree import split_by

N_FEATURES, N_EDGES = 4, 5
BITS = Bits(tuple(range(N_FEATURES)), (N_EDGES,) * N_FEATURES)
ENCODINGS = ("thermometer", "integer", "digits")
ZERO = np.zeros(1, np.int64)
ROOMS = (1, 2.5, 4, 5, 8, math.inf)


def encoded(bins, bits, encoding):
    """Return what the client encrypts for rows given by their bins."""
    if encoding != "thermometer":
        return bins[:, list(bits.features)]
    columns = [
        bins[:, [feature]] <= np.arange(size)
        for feature, size in zip(bits.features, bits.sizes, strict=True)
    ]
    return np.concatenate(columns, axis=1).astype(np.int64)


def run(trees, bins, bits, table_bits, room, encoding):
    """Return the sum of trees through their integer graph, all ranges checked."""
    sums = TableSum.of([simplified(tree) for tree in trees], bits, table_bits)
    graph, offset, scales = sums.lowered(sums.columns(room), encoding)
    check(graph, INTEGER, supported(integer=True))
    program = ClearProgram(graph, 1)
    (outputs,) = program.run((encoded(bins, bits, encoding),))
    if encoding == "thermometer":
        for row in extremes(graph):
            program.run(row)
    return outputs @ scales + offset


def random_arrays(random, depth, n_features, n_outputs, thresholds):
    """Return a tree that ends early now and then, with integer values."""
    columns = [], [], [], [], []

    def grow(left):
        node = len(columns[0])
        splits = left > 0 and random.random() < 0.8
        row = random.integers(n_features), random.choice(thresholds), -1, -1
        value = random.integers(-9, 10, size=n_outputs)
        for column, entry in zip(columns, (*row, value), strict=True):
            column.append(entry)
        if splits and len(columns[0]) < 60:
            columns[2][node] = grow(left - 1)
            columns[3][node] = grow(left - 1)
        return node

    grow(depth)
    return TreeArrays(*map(np.array, columns))


def float_graph(trees, n_features):
    """Return the graph in the form that ensembles are exported in."""
    parts = matrices(trees, n_features)
    n_trees, n_leaves, n_nodes = parts.paths.shape
    shape = {
        "as_nodes": (n_trees, n_nodes, -1),
        "flat": (n_trees * n_leaves, -1),
        "as_leaves": (n_trees, n_leaves, -1),
    }
    nodes = (
        Node("Gemm", ("selection", "x"), ("selected",), {"transB": 1}),
        Node("LessOrEqual", ("selected", "thresholds"), ("holds",)),
        Node("Reshape", ("holds", "as_nodes"), ("by_tree",)),
        Node("Cast", ("by_tree",), ("numbers",), {"to": 1}),
        Node("MatMul", ("paths", "numbers"), ("held",)),
        Node("Reshape", ("held", "flat"), ("in_line",)),
        Node("Equal", ("counts", "in_line"), ("reached",)),
        Node("Reshape", ("reached", "as_leaves"), ("by_leaf",)),
        Node("Cast", ("by_leaf",), ("chosen",), {"to": 1}),
        Node("MatMul", ("values", "chosen"), ("of_trees",)),
        Node("ReduceSum", ("of_trees", "axes"), ("sums",), {"keepdims": 0}),
        Node("Transpose", ("sums",), ("scores",), {"perm": [1, 0]}),
    )
    constants = {
        **parts._asdict(),
        "axes": np.array([0]),
        **{name: np.array(sizes) for name, sizes in shape.items()},
    }
    return Graph(
        nodes,
        (Value("x", (None, n_features)),),
        (Value("scores", (None, parts.values.shape[1])),),
        constants,
    )


def small_ensemble(n_outputs):
    """Return three trees, one of which has five leaves or more, and rows of bins."""
    random = np.random.default_rng(n_outputs)
    trees = []
    while all(len(list(leaves(tree))) < 5 for tree in trees):
        arrays = [
            random_arrays(random, 4, N_FEATURES, n_outputs, np.arange(N_EDGES))
            for _ in "abc"
        ]
        ensemble, _ = recognize(float_graph(arrays, N_FEATURES))
        real = on_bins(ensemble, BinEdges([np.arange(float(N_EDGES))] * N_FEATURES))
        trees = [
            mapped(tree, lambda leaf: Leaf(leaf.value.astype(np.int64))) for tree in real
        ]
    return trees, random.integers(0, N_EDGES + 1, size=(25, N_FEATURES))


def leaf_values(n_outputs):
    numbers = st.lists(st.integers(-9, 9), min_size=n_outputs, max_size=n_outputs)
    return numbers.map(lambda value: Leaf(np.array(value, np.int64)))


#: Any set of bins, the last one included: of categories, or with missing values.
SUBSETS = st.frozensets(st.integers(0, N_EDGES)).map(
    lambda bins: bounds_of(sorted(bins), N_EDGES)
)


def bounds_of(bins, last):
    """Return a set of bins as bounds; the last bin has no end."""
    pairs = [(a_bin - 1, ANY[1] if a_bin == last else a_bin) for a_bin in bins]
    return _joined(pairs)


@st.composite
def ensembles(draw, *, subsets=False):
    """Trees of any shape: thresholds repeat and contradict each other on a path."""
    n_outputs = draw(st.sampled_from([1, 1, 2, 3, 10]))
    features, edges = st.integers(0, N_FEATURES - 1), st.integers(0, N_EDGES - 1)

    def nodes(sides):
        splits = st.builds(SplitNode, features, edges, sides, sides)
        if not subsets:
            return splits
        return splits | st.builds(split_by, features, SUBSETS, sides, sides)

    tree = st.recursive(leaf_values(n_outputs), nodes, max_leaves=20)
    return draw(st.lists(tree, min_size=1, max_size=4))
