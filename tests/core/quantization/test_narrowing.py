"""Sums as wide as their tables: what lies beyond wraps around, encrypted as in clear."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from fhe_estimators import CompilationError
from fhe_estimators.core.engine import ClearEngine, run_clear
from fhe_estimators.core.graph import wraps
from fhe_estimators.core.operators import lookup
from fhe_estimators.core.quantization import _post_training
from fhe_estimators.core.quantized_module import deviation
from fhe_estimators.core.quantized_module.wrapping import RowsBeyond, covered
from fhe_estimators.torch import compile_torch_model
from tests.core.operators.tools import any_integers

P_ERROR = 2**-40


class Branches(nn.Module):
    """Two tables of different widths read sums of one tensor, which is added to both."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 3)
        self.wide, self.narrow = nn.Linear(3, 3), nn.Linear(3, 3)
        self.last = nn.Linear(6, 2)
        with torch.no_grad():
            self.narrow.weight[0] *= 30

    def forward(self, x):
        x = torch.relu(self.first(x))
        both = torch.tanh(self.wide(x)) + x, torch.sigmoid(self.narrow(x)) + x
        return self.last(torch.cat(both, dim=1))


def network(kind, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if kind == "branches":
            return Branches()
        if kind == "images":
            return nn.Sequential(
                *(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten()),
                *(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)),
            )
        return nn.Sequential(
            nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 4), nn.SiLU(), nn.Linear(4, 2)
        )


def compiled(kind, **options):
    shape = (1, 3, 3) if kind == "images" else (6,)
    generator = np.random.default_rng(1)
    # Few features of a row differ from zero: sums of all of them lie far beyond.
    rows = generator.normal(size=(200, *shape)) * (generator.random((200, *shape)) < 0.2)
    rows = rows.astype(np.float32)
    weights = {"n_bits": 4, "p_error": P_ERROR, **options}
    return compile_torch_model(network(kind), rows, **weights), rows


def rows_beyond(module, q):
    """Return how many rows have integers that no table is made for."""
    beyond = RowsBeyond(covered(module.graph))
    run_clear(module.graph, [q], beyond)
    return beyond.count


@pytest.mark.simulate
@pytest.mark.parametrize(
    ("kind", "rounding_bits"),
    [
        *product(["layers"], [3, 5, None]),
        *[("branches", 5), ("images", None)],
        *(
            pytest.param(*case, marks=pytest.mark.nightly)
            for case in [("branches", 3), ("branches", None), ("images", 3), ("images", 5)]
        ),
    ],
)
def test_beyond_it_is_simulated_as_in_clear(kind, rounding_bits):
    how = {"rounding": None} if rounding_bits is None else {"rounding_bits": rounding_bits}
    n_bits = 3 if rounding_bits is None else 4
    module, _ = compiled(kind, n_bits=n_bits, **how)
    assert any(map(wraps, module.graph))
    q = any_integers(module, 0, 200)
    assert rows_beyond(module, q) > 10
    clear = module.quantized_forward(q)
    np.testing.assert_array_equal(module.quantized_forward(q, fhe="simulate"), clear)
    module.compile(engine=ClearEngine())
    np.testing.assert_array_equal(module.quantized_forward(q, fhe="execute"), clear)


@pytest.mark.fhe
@pytest.mark.parametrize("kind", ["layers", "branches", "images"])
def test_beyond_it_is_encrypted_as_in_clear(kind):
    module, _ = compiled(kind, n_bits=3, rounding_bits=4)
    q = any_integers(module, 0, 200)
    far = [row for row in range(len(q)) if rows_beyond(module, q[row : row + 1])][:4]
    near = module.quantize_input(np.zeros((1, *q.shape[1:]), np.float32))
    q = np.concatenate([q[far], near])
    clear = module.quantized_forward(q)
    np.testing.assert_array_equal(module.quantized_forward(q, fhe="execute"), clear)


@pytest.mark.simulate
@pytest.mark.parametrize("kind", ["layers", "images"])
def test_tables_read_fewer_bits(kind):
    narrow, rows = compiled(kind, n_bits=3, rounding=None)
    wide, _ = compiled(kind, n_bits=3, rounding=None, accumulator_range="worst_case")
    bits = [[layer.kept_bits for layer in m.layers if layer.tables] for m in (narrow, wide)]
    assert np.less_equal(*bits).all()
    assert sum(bits[0]) < sum(bits[1])
    assert narrow.fhe_circuit.complexity < wide.fhe_circuit.complexity
    # Without rounding nothing is lost on the rows of calibration.
    exact = network(kind)(torch.from_numpy(rows)).detach().numpy()
    errors = [deviation(module(rows), exact) for module in (narrow, wide)]
    assert errors[0] < 1.5 * errors[1]


@pytest.mark.simulate
def test_tables_that_the_engine_would_read_otherwise_are_refused(monkeypatch):
    """It reads wide ones bit by bit: they would not wrap."""
    monkeypatch.setattr(_post_training, "WRAPPING_BITS", 16)
    with pytest.raises(CompilationError, match=r"wrap around.*accumulator_range"):
        compiled("layers", n_bits=6, rounding=None)
    monkeypatch.undo()
    module, _ = compiled("layers", n_bits=6, rounding=None)
    assert not any(map(wraps, module.graph))


def test_entries_repeat_with_the_opposite_sign():
    table = np.array([3, 1, 0, 2, 5, 4, 7, 6])
    look_up = lookup("TableLookup", 17).f
    x = np.arange(-40, 40)
    for lsbs in (0, 2):
        found = look_up(x, table, first=-3, lsbs=lsbs, wraps=1)
        np.testing.assert_array_equal(
            look_up(x + (8 << lsbs), table, first=-3, lsbs=lsbs, wraps=1), -found
        )
        inside = np.arange(-3, -3 + (8 << lsbs) - (1 << lsbs >> 1))
        np.testing.assert_array_equal(
            look_up(inside, table, first=-3, lsbs=lsbs, wraps=1),
            look_up(inside, table, first=-3, lsbs=lsbs),
        )


@pytest.mark.fhe
def test_without_a_table_that_wraps_nothing_is_narrower():
    """Such graphs are additive: rows share a ciphertext, which must not overflow."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Linear(6, 2)
    rows = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    pair = [
        compile_torch_model(net, rows, n_bits=4, p_error=P_ERROR, accumulator_range=how)
        for how in ("calibrated", "worst_case")
    ]
    assert str(pair[0]) == str(pair[1])
    q = any_integers(pair[0], 0, 40)
    clear = pair[0].quantized_forward(q)
    np.testing.assert_array_equal(pair[0].quantized_forward(q, fhe="execute"), clear)


@pytest.mark.simulate
@pytest.mark.parametrize(("rounding", "n_entries"), [(None, 16), ("exact", 8)])
def test_entries_beyond_the_ends_are_the_ends(rounding, n_entries):
    """Of sums that are all the same a table reads some bits beside them."""
    net = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 2))
    with torch.no_grad():
        net[0].weight[:], net[0].bias[:] = 1.0, 0.0
    rows = np.eye(2, dtype=np.float32)[[0, 1] * 20]
    module = compile_torch_model(net, rows, n_bits=3, rounding=rounding, p_error=P_ERROR)
    (table,) = filter(wraps, module.graph)
    q = np.array([[first, second] for first in range(-4, 4) for second in range(-4, 4)])
    clear = module.quantized_forward(q)
    sums = q.sum(axis=1)
    (seen,) = np.unique(module.quantize_input(rows).sum(axis=1))
    (weight,) = np.unique(module.graph.constants["/0/Gemm_output_0.weights"])
    near = weight * np.abs(sums - seen) < 7
    assert len(np.unique(clear[near], axis=0)) == 1
    assert table.attributes["wraps"] == n_entries
    assert 0 < rows_beyond(module, q) <= np.count_nonzero(~near)
    np.testing.assert_array_equal(module.quantized_forward(q, fhe="simulate"), clear)
