"""Modules and callbacks of skorch that the tests share."""

import torch
from brevitas import nn as qnn
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import Callback
from torch import nn


class Perceptron(nn.Module):
    """A float network with one hidden layer."""

    def __init__(self, n_inputs=4, n_outputs=3, n_neurons=8):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_inputs, n_neurons), nn.ReLU(), nn.Linear(n_neurons, n_outputs)
        )

    def forward(self, x):
        return self.layers(x)


class BrevitasPerceptron(nn.Module):
    """The same of Brevitas's own layers and quantizers."""

    def __init__(self, n_inputs=4, n_outputs=3, n_neurons=8, n_bits=3):
        super().__init__()
        self.quant = qnn.QuantIdentity(bit_width=n_bits)
        self.hidden = qnn.QuantLinear(n_inputs, n_neurons, weight_bit_width=n_bits)
        self.relu = qnn.QuantReLU(bit_width=n_bits)
        self.output = qnn.QuantLinear(n_neurons, n_outputs, weight_bit_width=n_bits)

    def forward(self, x):
        return self.output(self.relu(self.hidden(self.quant(x))))


class ShapeSetter(Callback):
    """Build the module for the shapes of the training data."""

    def on_train_begin(self, net, X, y, **kwargs):
        n_outputs = y.shape[1] if y.is_floating_point() else len(y.unique())
        net.set_params(module__n_inputs=X.shape[1], module__n_outputs=n_outputs)

    def __repr__(self):
        # Names of tests hold it: they must not differ between processes.
        return "ShapeSetter()"


def classifier(module=Perceptron, criterion=nn.CrossEntropyLoss, **parameters):
    return NeuralNetClassifier(module, criterion=criterion, **options(parameters))


def binary_classifier(module=Perceptron, **parameters):
    return NeuralNetBinaryClassifier(module, module__n_outputs=1, **options(parameters))


def regressor(module=Perceptron, **parameters):
    return NeuralNetRegressor(module, **options(parameters))


def options(parameters):
    defaults = {
        "optimizer": torch.optim.Adam,
        "lr": 0.05,
        "max_epochs": 20,
        "batch_size": 64,
        "train_split": None,
        "verbose": 0,
    }
    return {**defaults, **parameters}
