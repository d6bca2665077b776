"""Quantized neural networks that predict on encrypted data."""

from fhe_estimators.neural_network._module import SparseQuantNeuralNetwork
from fhe_estimators.neural_network._neural_net import (
    NeuralNetClassifier,
    NeuralNetRegressor,
)
from fhe_estimators.neural_network._skorch import SkorchClassifier, SkorchRegressor

__all__ = [
    "NeuralNetClassifier",
    "NeuralNetRegressor",
    "SkorchClassifier",
    "SkorchRegressor",
    "SparseQuantNeuralNetwork",
]
