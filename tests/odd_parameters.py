"""Fits, compiles or predicts with one odd value after the other, and tells of each.

Arguments: what is tried.
"""

import inspect
import itertools
import json
import sys
import warnings

import brevitas.nn as qnn
import numpy as np
import torch
from skorch import NeuralNetClassifier, NeuralNetRegressor

import fhe_estimators as fe
from fhe_estimators.base import parent_of
from fhe_estimators.core.frontends.torch import export_torch
from fhe_estimators.testing import all_estimators
from fhe_estimators.torch import (
    compile_brevitas_qat_model,
    compile_onnx_model,
    compile_torch_model,
)

warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(40, 3))
y = (X[:, 0] > 0).astype(int)
ODD = [
    None,
    "",
    "8",
    0,
    -1,
    17,
    1e9,
    float("nan"),
    float("inf"),
    1e-300,
    5e-324,
    0.999999,
    1 - 2**-53,
    True,
    np.int64(4),
    np.int8(3),
    np.float32(0.5),
    np.bool_(True),
    [4],
    np.array([4, 5]),
    {},
    {"wrong": 4},
    {"op_inputs": "4"},
    {"op_weights": 0},
    (),
    4 + 0j,
    object,
    b"execute",
]


def fitted(name, **parameters):
    target = y.astype(np.float32) + 1 if name.endswith("Regressor") else y
    # Counts are not below zero.
    rows = np.abs(X) if name in ("ComplementNB", "MultinomialNB") else X
    return getattr(fe, name)(**parameters).fit(rows.astype(np.float32), target)


def estimator(name, fixed, odd, value):
    model = fitted(name, **fixed, **{odd: value})
    (model.predict if hasattr(model, "predict") else model.transform)(X[:2])
    if name in SIMULATED:
        model.predict(X[:2], fhe="simulate")


#: One or two of each family; the others share its code, and are fitted and predict clear.
SIMULATED = [
    *("LogisticRegression", "Ridge", "DecisionTreeClassifier", "RandomForestRegressor"),
    *("GaussianNB", "NearestCentroid", "NeuralNetClassifier", "SkorchClassifier"),
]
#: Parameters that make estimators small, where they have them.
SMALL = {
    "n_bits": 3,
    "max_depth": 2,
    "n_estimators": 2,
    "iterations": 2,
    "max_rounds": 20,
    "outer_bags": 1,
    "max_iter": 20,
    "max_epochs": 2,
    "random_state": 0,
    "n_jobs": 1,
}


def ours(cls):
    """Return the parameters that a class adds to those of its parent."""
    names = set(inspect.signature(cls).parameters)
    for parent in parent_of(cls).__mro__:
        names -= set(inspect.signature(parent.__init__).parameters)
    return sorted(names)


class Net(torch.nn.Module):
    def __init__(self, n_outputs=2):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.Linear(2, n_outputs)
        )

    def forward(self, x):
        return self.layers(x)


class Column(Net):
    def __init__(self):
        super().__init__(1)

    def forward(self, x):
        return super().forward(x)[:, 0]


NET = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
QUANTIZED = torch.nn.Sequential(
    qnn.QuantIdentity(bit_width=3, return_quant_tensor=True),
    qnn.QuantLinear(3, 2, bias=False, weight_bit_width=3),
    qnn.QuantReLU(bit_width=3, return_quant_tensor=True),
    qnn.QuantLinear(2, 1, bias=False, weight_bit_width=3),
)
ROWS = X.astype(np.float32)
EXPORTED = export_torch(NET, [ROWS])


def small(name):
    cls = getattr(fe, name)
    names = inspect.signature(cls).parameters
    fixed = {key: value for key, value in SMALL.items() if key in names}
    if name.startswith("Skorch"):
        net, loss = (
            (NeuralNetClassifier, torch.nn.CrossEntropyLoss)
            if name == "SkorchClassifier"
            else (NeuralNetRegressor, torch.nn.MSELoss)
        )
        fixed["net"] = net(
            Net if name == "SkorchClassifier" else Column,
            criterion=loss,
            max_epochs=2,
            train_split=None,
            verbose=0,
        )
    return fixed


#: Parameters of all that compiles networks.
NETWORKS = ("n_bits", "rounding", "rounding_bits", "p_error")


def compiled(kind, odd, value):
    """Compile a network with an odd parameter, and simulate it."""
    compiler, model = {
        "torch": (compile_torch_model, NET),
        "onnx": (compile_onnx_model, EXPORTED),
        "brevitas": (compile_brevitas_qat_model, QUANTIZED),
    }[kind]
    fixed = {"n_bits": 3, "p_error": 2**-20, odd: value}
    compiler(model, ROWS, **fixed).forward(ROWS[:2], fhe="simulate")


def targets(family):
    if family in dict(all_estimators()):
        fixed = small(family)
        for odd in ours(getattr(fe, family)):
            others = {key: value for key, value in fixed.items() if key != odd}
            yield odd, lambda value, o=odd, f=others: estimator(family, f, o, value)
        model = fitted(family, **fixed)
        for odd in ("n_bits", "p_error") if hasattr(model, "n_bits") else ("p_error",):
            yield (
                odd,
                lambda value, o=odd: type(model).from_sklearn_model(model, X, **{o: value}),
            )
    if family in SIMULATED:
        yield "fhe", lambda value: model.predict(X[:2], fhe=value)
        yield "p_error", lambda value: model.compile(p_error=value)
        yield "X", lambda value: model.compile(value)
        yield "X", lambda value: model.quantize_input(value)
        yield "p_error", lambda value: model.quantized_module_.compile(p_error=value)
    if family == "context":
        model = fitted("Ridge", n_bits=3)

        def predict(value):
            with fe.config_context(fhe=value):
                model.predict(X[:2])

        yield "fhe", predict
    for kind, parameters in {
        "torch": (*NETWORKS, "calibration", "accumulator_range"),
        "onnx": (*NETWORKS, "calibration", "accumulator_range"),
        "brevitas": NETWORKS,
    }.items():
        if family == kind:
            for odd in parameters:
                yield odd, lambda value, k=kind, o=odd: compiled(k, o, value)
    if family == "torch":
        module = compile_torch_model(NET, ROWS, n_bits=3)
        yield "torch_model", lambda value: compile_torch_model(value, ROWS)
        yield "torch_inputset", lambda value: compile_torch_model(NET, value)
        yield "model", lambda value: compile_onnx_model(value, ROWS)
        yield "fhe", lambda value: module.forward(ROWS[:2], fhe=value)
        yield "input", lambda value: module.forward(value)
        yield "input", lambda value: module.quantized_forward(value)
        yield "input", lambda value: module.quantized_forward(value, fhe="simulate")
        yield "ciphertext", lambda value: module.fhe_circuit.run(value)
        yield "ciphertext", lambda value: module.fhe_circuit.decrypt(value)


def main():
    for odd, call in itertools.chain.from_iterable(map(targets, sys.argv[1:])):
        for value in ODD:
            print(json.dumps(["begin", odd, repr(value)]), flush=True)
            try:
                call(value)
                outcome = "fine", ""
            except Exception as error:
                outcome = [kind.__name__ for kind in type(error).__mro__], str(error)
            print(json.dumps([*outcome]), flush=True)


if __name__ == "__main__":
    main()
