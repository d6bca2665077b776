"""Fits, compiles or predicts with one odd value after the other, and tells of each.

Arguments: what is tried, and the parameters of estimators, as JSON.
"""

import json
import sys
import warnings

import numpy as np
import torch
from skorch import NeuralNetClassifier

import fhe_estimators as fe
from fhe_estimators.torch import compile_onnx_model, compile_torch_model

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
    return getattr(fe, name)(**parameters).fit(X, y)


def estimator(name, fixed, odd, value):
    model = fitted(name, **fixed, **{odd: value})
    model.predict(X[:2])
    model.predict(X[:2], fhe="simulate")


SMALL = {
    "LogisticRegression": {"n_bits": 3},
    "Ridge": {"n_bits": 3},
    "DecisionTreeClassifier": {"n_bits": 2, "max_depth": 2},
    "RandomForestRegressor": {"n_bits": 2, "max_depth": 2, "n_estimators": 2},
    "GaussianNB": {"n_bits": 3},
    "NearestCentroid": {"n_bits": 3},
    "NeuralNetClassifier": {"max_epochs": 2, "random_state": 0},
    "SkorchClassifier": {"n_bits": 3, "random_state": 0},
}


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.Linear(2, 2)
        )

    def forward(self, x):
        return self.layers(x)


NET = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
ROWS = X.astype(np.float32)


def small(name):
    net = NeuralNetClassifier(
        Net, criterion=torch.nn.CrossEntropyLoss, max_epochs=2, train_split=None, verbose=0
    )
    return {**SMALL[name], **({"net": net} if name == "SkorchClassifier" else {})}


def targets(family):
    if family in SMALL:
        fixed = small(family)
        names = getattr(fe, family)(**fixed).get_params(deep=False).keys()
        for odd in sorted(names & set(json.loads(sys.argv[2]))):
            others = {key: value for key, value in fixed.items() if key != odd}
            yield odd, lambda value, o=odd, f=others: estimator(family, f, o, value)
        model = fitted(family, **fixed)
        yield "fhe", lambda value: model.predict(X[:2], fhe=value)
        yield "p_error", lambda value: model.compile(p_error=value)
        yield "p_error", lambda value: model.quantized_module_.compile(p_error=value)
        yield "X", lambda value: model.compile(value)
        yield "X", lambda value: model.quantize_input(value)
        if hasattr(model, "n_bits"):
            yield (
                "n_bits",
                lambda value: type(model).from_sklearn_model(model, X, n_bits=value),
            )
        yield (
            "p_error",
            lambda value: type(model).from_sklearn_model(model, X, p_error=value),
        )
    if family == "context":
        model = fitted("Ridge", n_bits=3)

        def predict(value):
            with fe.config_context(fhe=value):
                model.predict(X[:2])

        yield "fhe", predict
    if family == "compile_torch_model":
        module = compile_torch_model(NET, ROWS, n_bits=3)
        for odd in ("n_bits", "calibration", "rounding", "rounding_bits", "p_error"):
            fixed = {"n_bits": 3, "p_error": 2**-20}
            fixed.pop(odd, None)
            yield (
                odd,
                lambda value, o=odd, f=fixed: compile_torch_model(
                    NET, ROWS, **f, **{o: value}
                ).forward(ROWS[:2], fhe="simulate"),
            )
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
    for odd, call in targets(sys.argv[1]):
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
