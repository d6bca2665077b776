"""The network: bounds of accumulators, calibration, pruning, export."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fhe_estimators.core.frontends.brevitas import export_brevitas
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantization import resolve_n_bits
from fhe_estimators.core.quantized_module import RoundingOptions
from fhe_estimators.neural_network import SparseQuantNeuralNetwork

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(200, 6)) * [1, 10, 0.1, 1, 1, 1000] + [0, 5, 0, 1, 1, 0]
LABELS = ((ROWS[:, 0] > 0) + (ROWS[:, 1] > 5)).astype(np.int64)


def network(**options):
    return SparseQuantNeuralNetwork(6, 3, **{"seed": 0, **options})


def trained(n_steps=30, **options):
    net = network(**options)
    x, y = torch.tensor(ROWS), torch.tensor(LABELS)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    net.train()
    for _ in range(n_steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    return net.eval()


def scores(net, rows=ROWS):
    with torch.no_grad():
        return net(torch.tensor(rows)).numpy()


def lowered(net):
    model = export_brevitas(net, [ROWS[:1]])
    return to_quantized_module(
        model,
        Calibration([ROWS]),
        Options(resolve_n_bits(8), rounding=RoundingOptions(None)),
    )


# Accumulators --------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    st.integers(2, 5),
    st.integers(2, 4),
    st.integers(2, 4),
    st.integers(4, 9),
    st.floats(1e-3, 1e3),
    st.integers(0, 2**31 - 1),
)
def test_accumulators_are_bounded(n_w, n_a, n_in, n_accum, scale, seed):
    """Whatever the weights: no integers of the inputs can make a sum exceed its bits."""
    net = network(n_w_bits=n_w, n_a_bits=n_a, n_in_bits=n_in, n_accum_bits=n_accum)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in net.linears:
            layer.weight.copy_(scale * torch.randn(layer.weight.shape, generator=generator))
    for weights, n_bits in zip(net.integer_weights(), (n_in, n_a), strict=True):
        n_values = np.abs(weights).sum(axis=1) * (2**n_bits - 1)
        assert n_values.max() <= 2**n_accum - 1
        assert np.abs(weights).max() <= 2 ** (n_w - 1) - 1


def test_scores_may_be_wider():
    net = network(n_out_accum_bits=7)
    with torch.no_grad():
        for layer in net.linears:
            layer.weight.fill_(1)
    hidden, output = (np.abs(weights).sum(axis=1) for weights in net.integer_weights())
    assert hidden.max() <= (2**4 - 1) // 3
    assert (2**4 - 1) // 3 < output.max() <= (2**7 - 1) // 3
    small = net.compressed()
    np.testing.assert_array_equal(scores(small.eval()), scores(net.eval()))


@pytest.mark.parametrize("n_accum_bits", [4, 5, 8])
def test_tables_read_no_more_bits(n_accum_bits):
    """The bound holds in the circuit: of the exported integers, after training."""
    net = trained(n_accum_bits=n_accum_bits, n_layers=3, n_w_bits=4)
    layers = lowered(net).layers
    tables = [layer.kept_bits for layer in layers if layer.tables]
    assert len(tables) == 2
    assert max(tables) <= n_accum_bits


def test_training_in_few_bits_learns():
    accuracy = (scores(trained(100)).argmax(axis=1) == LABELS).mean()
    assert accuracy > 0.85


# Equality of integers and numbers ------------------------------------------------------


@pytest.mark.parametrize("activation", ["ReLU", "Tanh", "Sigmoid", nn.SiLU, "LeakyReLU"])
@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_integers_give_the_scores(activation, n_layers):
    net = trained(10, activation=activation, n_layers=n_layers)
    far = np.concatenate([ROWS, ROWS * 1e6, -ROWS * 1e3])
    for exported in (net, net.compressed()):
        np.testing.assert_allclose(
            lowered(exported).scores(far), scores(net, far), atol=1e-9
        )


def test_exported_model_computes_the_scores():
    net = trained(10)
    model = export_brevitas(net, [ROWS[:1]])
    np.testing.assert_allclose(NumpyModule(model)(ROWS), scores(net), atol=1e-9)
    assert {node.op_type for node in model.graph.node} >= {"Quant", "Gemm"}


def test_single_precision_in_and_out():
    net = trained(3)
    x = torch.tensor(ROWS, dtype=torch.float32)
    assert net(x).dtype == torch.float32
    assert net(x.double()).dtype == torch.float64


# Neurons -------------------------------------------------------------------------------


def test_compressed_network_is_smaller_and_the_same():
    net = trained(n_layers=3, hidden_layer_sizes=(20, 20), n_accum_bits=4)
    net.prune_neurons((6, 5), torch.tensor(ROWS))
    small = net.compressed()
    first, second = (layer.out_features for layer in small.linears[:-1])
    assert 1 <= first <= 6
    assert 1 <= second <= 5
    np.testing.assert_allclose(scores(small), scores(net), atol=1e-9)
    again = [layer.weight.shape for layer in small.compressed().linears]
    assert again == [layer.weight.shape for layer in small.linears]


def test_pruned_neurons_stay_pruned():
    net = network(hidden_layer_sizes=(20,))
    x = torch.tensor(ROWS)
    net.calibrate(x)
    net.prune_neurons((5,), x)
    gone = np.flatnonzero(net.linears[1].quantizer.kept[0].numpy() == 0)
    assert len(gone) == 15
    net.prune_neurons((4,), x)
    assert (net.linears[1].quantizer.kept[0].numpy()[gone] == 0).all()
    assert (net.integer_weights()[1][:, gone] == 0).all()


def test_constant_neurons_become_biases():
    net = trained(5, hidden_layer_sizes=(8,), n_accum_bits=8)
    with torch.no_grad():
        net.linears[0].weight[:4] = 0
    small = net.compressed()
    assert small.linears[0].out_features <= 4
    np.testing.assert_allclose(scores(small), scores(net), atol=1e-9)


def test_network_of_nothing_but_constants():
    net = trained(2, n_layers=3)
    with torch.no_grad():
        net.linears[1].weight.zero_()
    small = net.compressed()
    np.testing.assert_allclose(scores(small), scores(net), atol=1e-9)
    np.testing.assert_allclose(lowered(small).scores(ROWS), scores(net), atol=1e-9)


# Life of a module ----------------------------------------------------------------------


def test_calibration_centers_sums():
    net = network()
    x = torch.tensor(ROWS)
    net.calibrate(x)
    with torch.no_grad():
        sums = net.linears[0](net._integer_features(x)).numpy()
    np.testing.assert_allclose(sums.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(sums.std(axis=0), 1, atol=1e-9)


def test_calibration_with_weights_is_that_of_repeated_rows():
    weights = RNG.integers(1, 4, size=len(ROWS))
    weighted, repeated = network(), network()
    weighted.calibrate(torch.tensor(ROWS), torch.tensor(weights))
    repeated.calibrate(torch.tensor(ROWS.repeat(weights, axis=0)))
    np.testing.assert_allclose(scores(weighted.eval()), scores(repeated.eval()), atol=1e-9)


def test_first_training_pass_calibrates():
    net = network()
    assert not net.calibrated
    net.eval()(torch.tensor(ROWS))
    assert not net.calibrated
    net.train()(torch.tensor(ROWS))
    assert net.calibrated


def test_state_dict_and_copies():
    net = trained(10)
    other = network(seed=1)
    other.load_state_dict(net.state_dict())
    for same in (other.eval(), copy.deepcopy(net)):
        np.testing.assert_array_equal(scores(same), scores(net))


def test_seed_leaves_torch_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    one, two = network(seed=3), network(seed=3)
    assert torch.rand(1) == expected
    np.testing.assert_array_equal(scores(one.eval()), scores(two.eval()))
    assert (network(seed=4).linears[0].weight != one.linears[0].weight).any()


def test_sizes():
    def sizes(*shape, **options):
        net = SparseQuantNeuralNetwork(*shape, **options)
        return [layer.out_features for layer in net.linears]

    assert sizes(20, 2) == [20, 2]
    assert sizes(3, 2) == [8, 2]
    assert sizes(20, 2, n_layers=3, n_hidden_neurons_multiplier=0.5) == [10, 10, 2]
    assert sizes(20, 2, n_layers=1) == [2]
    assert sizes(20, 2, hidden_layer_sizes=(4, 5)) == [4, 5, 2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_w_bits": 1}, "'n_w_bits' must be from 2 to 16; got 1"),
        ({"n_accum_bits": 40}, "'n_accum_bits' must be from 2 to 32; got 40"),
        ({"n_a_bits": 6}, "n_accum_bits=4 .* n_in_bits=6"),
        ({"n_in_bits": 2, "n_a_bits": 6}, "n_accum_bits=4 .* n_a_bits=6"),
        ({"n_out_accum_bits": 1}, "'n_out_accum_bits' must be from 2 to 32; got 1"),
        (
            {"n_accum_bits": 8, "n_a_bits": 4, "n_out_accum_bits": 3},
            "n_out_accum_bits=3 .* n_a_bits=4",
        ),
        ({"activation": "relu"}, "'activation' .* got 'relu'"),
        ({"activation": "functional"}, "'activation' .* got 'functional'"),
        ({"activation": len}, "'activation'"),
    ],
)
def test_wrong_options(options, words):
    with pytest.raises(ValueError, match=words):
        network(**options)
