"""Integer graphs of ensembles against the float graphs that they come from."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.circuit._bounds import extremes
from fhe_estimators.core.engine import ClearProgram
from fhe_estimators.core.frontends.trees import TreeArrays, matrices
from fhe_estimators.core.graph import INTEGER, Graph, Node, Value, check
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.operators import supported
from fhe_estimators.core.trees import (
    Bits,
    Grid,
    Leaf,
    Split,
    TableSum,
    evaluate_tree,
    leaves,
    mapped,
    recognize,
    simplified,
)
from fhe_estimators.core.trees.columns import RADICES, digits
from fhe_estimators.core.trees.groups import Fragment, factored, gates_of
from fhe_estimators.core.trees.leaves import on_grid
from fhe_estimators.core.trees.narrow import additive_part

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


def leaf_values(n_outputs):
    numbers = st.lists(st.integers(-9, 9), min_size=n_outputs, max_size=n_outputs)
    return numbers.map(lambda value: Leaf(np.array(value, np.int64)))


@st.composite
def ensembles(draw):
    """Trees of any shape: thresholds repeat and contradict each other on a path."""
    n_outputs = draw(st.sampled_from([1, 1, 2, 3, 10]))
    tree = st.recursive(
        leaf_values(n_outputs),
        lambda sides: st.builds(
            Split,
            st.integers(0, N_FEATURES - 1),
            st.integers(0, N_EDGES - 1),
            sides,
            sides,
        ),
        max_leaves=20,
    )
    return draw(st.lists(tree, min_size=1, max_size=4))


@settings(max_examples=300, deadline=None)
@given(
    ensembles(),
    st.integers(2, 6),
    st.sampled_from(ROOMS),
    st.sampled_from(ENCODINGS),
    st.integers(0, 2**32 - 1),
)
def test_graph_is_sum_of_trees(forest, table_bits, room, encoding, seed):
    random = np.random.default_rng(seed)
    bins = random.integers(0, N_EDGES + 1, size=(60, N_FEATURES))
    expected = sum(evaluate_tree(tree, bins) for tree in forest)
    found = run(forest, bins, BITS, table_bits, room, encoding)
    np.testing.assert_array_equal(found, expected)


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


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_ten_thousand_ensembles(seed):
    """From a float graph, as exported, to an integer graph of the same results."""
    random = np.random.default_rng(seed)
    for _ in range(500):
        depth = random.integers(13)
        n_features, n_outputs = random.integers(1, 7), random.choice([1, 1, 2, 3, 10])
        thresholds = np.sort(random.choice(np.arange(40) / 4, size=random.integers(1, 16)))
        trees = [
            random_arrays(random, depth, n_features, n_outputs, thresholds)
            for _ in range(random.integers(1, 4))
        ]
        graph = float_graph(trees, n_features)
        ensemble, rest = recognize(graph)
        assert not rest.nodes
        edges = [ensemble.thresholds.get(f, np.zeros(1)) for f in range(n_features)]
        grid = Grid(edges)
        real = on_grid(ensemble, grid)
        integers = [
            mapped(tree, lambda leaf: Leaf(leaf.value.astype(np.int64))) for tree in real
        ]
        # On thresholds, between them and beyond.
        X = random.choice(np.arange(-1, 42) / 4, size=(40, n_features))
        bits = Bits(tuple(range(n_features)), tuple(map(len, edges)))
        found = run(
            integers,
            grid.bins(X),
            bits,
            int(random.integers(2, 6)),
            random.choice(ROOMS),
            str(random.choice(ENCODINGS)),
        )
        np.testing.assert_array_equal(found, NumpyModule(graph)(X))


def test_functions_of_one_feature_take_no_table():
    stumps = [
        Split(feature, edge, Leaf(np.array([edge])), Leaf(np.array([-feature])))
        for feature in range(N_FEATURES)
        for edge in range(N_EDGES)
    ]
    sums = TableSum.of(stumps, BITS, 4)
    assert sums.n_tables == 0
    assert [node.op for node in sums.lowered().graph] == [
        "Gather",
        "MatMul",
    ]


def test_trees_that_cancel_take_no_table():
    leaf = [Leaf(np.array([value])) for value in (0, 1, 4)]
    tree = Split(0, 1, leaf[0], Split(1, 2, leaf[1], leaf[2]))
    bins = np.random.default_rng(0).integers(0, N_EDGES + 1, size=(50, N_FEATURES))
    opposite = mapped(tree, lambda leaf: Leaf(-leaf.value))
    assert TableSum.of([tree, opposite], BITS, 4).n_tables == 0
    assert not run([tree, opposite], bins, BITS, 4, math.inf, "thermometer").any()


def test_trees_share_tables():
    """The same comparisons in other trees take no more tables."""
    leaf = [Leaf(np.array([value])) for value in (0, 1, 5, 7)]
    tree = Split(0, 1, Split(1, 2, leaf[0], leaf[1]), Split(1, 2, leaf[2], leaf[3]))
    other = Split(1, 2, Split(0, 1, leaf[3], leaf[1]), leaf[2])
    assert TableSum.of([tree], BITS, 3).n_tables == 1
    assert TableSum.of([tree, other, tree], BITS, 3).n_tables == 1


def test_tables_of_vectors_are_those_of_the_rank():
    one_hot = np.eye(3, dtype=np.int64)
    tree = Split(0, 0, Leaf(one_hot[0]), Split(1, 0, Leaf(one_hot[1]), Leaf(one_hot[2])))
    # Less a constant, the leaves differ in two directions.
    assert TableSum.of([tree], BITS, 3).n_tables == 2


@settings(max_examples=300)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_factors(n_states, n_outputs, n_generators, seed):
    random = np.random.default_rng(seed)
    values = random.integers(-3, 4, size=(n_states, n_generators)) @ random.integers(
        -3, 4, size=(n_generators, n_outputs)
    )
    tables, weights = factored(values)
    np.testing.assert_array_equal(tables @ weights, values)
    different = {tuple(row) for row in values if row.any()}
    assert np.linalg.matrix_rank(values) <= len(weights) <= max(1, len(different))


def test_leaf_behind_more_gates_than_states():
    """A path of 12 features needs 13 states, whatever is asked for."""
    tree = Leaf(np.array([1]))
    for feature in range(12):
        tree = Split(feature, 0, tree, Leaf(np.array([0])))
    bits = Bits(tuple(range(12)), (1,) * 12)
    sums = TableSum.of([tree], bits, 3)
    assert (sums.n_tables, sums.table_bits) == (1, 4)
    bins = np.random.default_rng(0).integers(0, 2, size=(99, 12))
    bins[0] = 0
    expected = evaluate_tree(tree, bins)
    assert expected.any()
    np.testing.assert_array_equal(run([tree], bins, bits, 3, 4, "thermometer"), expected)


def small_ensemble(n_outputs):
    random = np.random.default_rng(n_outputs)
    arrays = [
        random_arrays(random, 4, N_FEATURES, n_outputs, np.arange(N_EDGES)) for _ in "abc"
    ]
    ensemble, _ = recognize(float_graph(arrays, N_FEATURES))
    grid = Grid([np.arange(float(N_EDGES))] * N_FEATURES)
    real = on_grid(ensemble, grid)
    trees = [mapped(tree, lambda leaf: Leaf(leaf.value.astype(np.int64))) for tree in real]
    assert any(len(list(leaves(tree))) > 4 for tree in trees)
    return trees, random.integers(0, N_EDGES + 1, size=(25, N_FEATURES))


@pytest.mark.simulate
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_simulation_gives_the_sum(n_outputs, encoding):
    trees, bins = small_ensemble(n_outputs)
    expected = sum(evaluate_tree(tree, bins) for tree in trees)
    for table_bits, room in ((3, math.inf), (4, 5)):
        sums = TableSum.of(trees, BITS, table_bits)
        graph, offset, scales = sums.lowered(sums.columns(room), encoding)
        found = Circuit(graph).simulate(encoded(bins, BITS, encoding))
        np.testing.assert_array_equal(found @ scales + offset, expected)


@pytest.mark.fhe
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encrypted_sum(encoding):
    trees, bins = small_ensemble(2)
    sums = TableSum.of(trees, BITS, 4)
    graph, offset, scales = sums.lowered(sums.columns(5), encoding)
    found = Circuit(graph).encrypt_run_decrypt(encoded(bins[:3], BITS, encoding))
    np.testing.assert_array_equal(
        found @ scales + offset, sum(evaluate_tree(tree, bins[:3]) for tree in trees)
    )


def test_circuit_refuses_what_is_no_thermometer_code():
    trees, _ = small_ensemble(1)
    graph, _, _ = TableSum.of(trees, BITS, 4).lowered()
    from fhe_estimators.core.engine import ClearEngine

    bits = np.zeros((1, len(BITS)), np.int64)
    circuit = Circuit(graph, engine=ClearEngine())
    circuit.encrypt(bits)
    bits[0, 0] = 1
    with pytest.raises(ValueError, match="thermometer"):
        circuit.encrypt(bits)


@pytest.mark.simulate
def test_many_rows_of_few_tables_share_calls():
    trees, bins = small_ensemble(1)
    graph, offset, _ = TableSum.of(trees, BITS, 4).lowered()
    circuit = Circuit(graph)
    assert circuit._plan(2).capacity == 1
    assert circuit._plan(99).capacity > 1
    rows = np.resize(bins, (43, N_FEATURES))
    found = circuit.simulate(encoded(rows, BITS, "thermometer")) + offset
    np.testing.assert_array_equal(found, sum(evaluate_tree(tree, rows) for tree in trees))


def bits_and_noise(graph):
    """Return the bits of the sums of tables, and the noise of the noisiest of them."""
    (node,) = (n for n in graph if n.op == "MatMul" and "tablelookup" in n.inputs[0])
    weights = graph.constants[node.inputs[1]]
    return graph.value(node.outputs[0]).bits, int((weights**2).sum(axis=0).max())


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_columns_keep_to_the_room_they_have(n_outputs):
    trees, _ = small_ensemble(n_outputs)
    sums = TableSum.of(trees, BITS, 3)
    numbers = []
    for room in (6, 7, 8, 10):
        columns = sums.columns(room)
        bits, noise = bits_and_noise(sums.lowered(columns).graph)
        assert bits + math.log2(noise) / 2 <= room
        numbers.append(len(columns))
    assert numbers[0] > n_outputs
    assert numbers == sorted(numbers, reverse=True)
    assert len(sums.columns()) == n_outputs


def test_columns_of_tables_take_no_bit_for_the_sign():
    """Whatever the signs of the leaves, also where leaves exclude each other."""
    random = np.random.default_rng(0)
    for sign in (-1, 1):
        trees = [
            mapped(tree, lambda leaf, by=sign: Leaf(by * random.integers(0, 61, size=1)))
            for tree in small_ensemble(1)[0]
        ]
        sums = TableSum.of(trees, BITS, 3)
        graph = sums.lowered(sums.columns(9)).graph
        assert graph.outputs[0].bits == max(c.width for c in sums.columns(9))


@given(st.integers(1, 5), st.integers(1, 4), st.sampled_from(RADICES))
def test_digits(n_rows, n_columns, radix):
    random = np.random.default_rng(n_rows)
    numbers = random.integers(-1000, 1000, size=(n_rows, n_columns))
    parts = list(digits(numbers, radix))
    np.testing.assert_array_equal(sum(scale * digit for scale, digit in parts), numbers)
    if radix is not None:
        assert max(np.abs(digit).max() for _, digit in parts) <= radix // 2


def test_functions_of_one_feature_leave_narrow_tables():
    """A sum of two stumps with a small interaction: the table holds the interaction."""
    values = [[0, 100], [40, 147]]
    tree = Split(
        0,
        1,
        *(Split(1, 2, *(Leaf(np.array([value])) for value in row)) for row in values),
    )
    sums = TableSum.of([tree], BITS, 3)
    graph = sums.lowered().graph
    (table,) = (n for n in graph if n.op == "TableLookup")
    assert np.ptp(graph.constants[table.inputs[1]]) <= 4
    bins = np.random.default_rng(0).integers(0, N_EDGES + 1, size=(50, N_FEATURES))
    for room in (4, 6, math.inf):
        np.testing.assert_array_equal(
            run([tree], bins, BITS, 3, room, "thermometer"), evaluate_tree(tree, bins)
        )


@given(st.integers(0, 2**32 - 1), st.integers(0, 2))
def test_additive_part_and_rest_add_up(seed, n_gates):
    random = np.random.default_rng(seed)
    path = [Split(f, int(random.integers(N_EDGES)), Leaf(ZERO), Leaf(ZERO)) for f in (2, 3)]

    def grown(left):
        if not left:
            return Leaf(random.integers(-50, 50, size=1))
        edge = int(random.integers(N_EDGES))
        return Split(left - 1, edge, grown(left - 1), grown(left - 1))

    tree = simplified(grown(2))
    for split in path[:n_gates]:
        tree = Split(split.feature, split.edge, tree, split.below)
    box = {split.feature: (-1, split.edge) for split in path[:n_gates]}
    inner = tree
    for _ in range(n_gates):
        inner = inner.below
    group = Fragment(gates_of(box), inner, 0).as_group()
    table = group.table(N_FEATURES)[:, 0]
    left, functions = additive_part(group, table, dict.fromkeys(range(N_FEATURES), N_EDGES))
    assert np.ptp(left) <= np.ptp(table)
    # Through the integer graph of this group alone.
    bins = random.integers(0, N_EDGES + 1, size=(40, N_FEATURES))
    index = np.zeros(40, np.int64)
    for feature, edges, weight in group.digits():
        index += weight * (bins[:, [feature]] <= np.array(edges)).sum(axis=1)
    held = [(low < bins[:, f]) & (bins[:, f] <= high) for f, low, high in group.gates]
    index += np.sum(held, axis=0, dtype=np.int64) * (group.states // (len(held) + 1))
    found = left[index] + sum(values[bins[:, f]] for f, values in functions.items())
    np.testing.assert_array_equal(found, evaluate_tree(tree, bins)[:, 0])
