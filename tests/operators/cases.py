"""One small case of every operator: what the generic tests run on.

A case is a pair (attributes of the node, inputs). Inputs are float32, as exporters write
them, and small enough to read a failure.
"""

import numpy as np

#: Numbers of both signs, none of them where a function jumps.
X = np.array([[-2.6, -1.3, -0.4, 0.7], [0.2, 0.9, 1.6, 3.1]], np.float32)
POSITIVE = np.abs(X)
UNIT = X / 4
ROW = np.array([[0.5, -1.5, 2.5, 1.0]], np.float32)
TRUE_FALSE = X > 0
FALSE_TRUE = np.array([[True, False, True, True]])
MATRIX = np.array([[1.0, -0.5], [0.25, 2.0], [-1.5, 0.0], [3.0, 1.0]], np.float32)
CUBE = np.arange(24, dtype=np.float32).reshape(2, 3, 4) - 7


def i64(*numbers):
    return np.array(numbers, np.int64)


def f32(number):
    return np.array(number, np.float32)


CASES = {
    "Abs": ({}, (X,)),
    "Acos": ({}, (UNIT,)),
    "Acosh": ({}, (1 + POSITIVE,)),
    "Add": ({}, (X, ROW)),
    "And": ({}, (TRUE_FALSE, FALSE_TRUE)),
    "ArgMax": ({"axis": 1}, (X,)),
    "Asin": ({}, (UNIT,)),
    "Asinh": ({}, (X,)),
    "Atan": ({}, (X,)),
    "Atanh": ({}, (UNIT,)),
    "Cast": ({"to": 7}, (X,)),
    "Ceil": ({}, (X,)),
    "Celu": ({"alpha": 1.5}, (X,)),
    "Clip": ({}, (X, f32(-1), f32(1.5))),
    "Concat": ({"axis": -1}, (X, ROW.repeat(2, 0))),
    "Constant": ({"value_floats": [1.5, -2.0]}, ()),
    "Cos": ({}, (X,)),
    "Cosh": ({}, (X,)),
    "Div": ({}, (X, ROW)),
    "Dropout": ({}, (X, f32(0.5))),
    "Elu": ({"alpha": 0.5}, (X,)),
    "Equal": ({}, (np.rint(X), np.array([[-3, 1, 0, 1]], np.float32))),
    "Erf": ({}, (X,)),
    "Exp": ({}, (X,)),
    "Flatten": ({}, (CUBE,)),
    "Floor": ({}, (X,)),
    "Gather": ({"axis": 1}, (X, i64(2, 0, 2))),
    "Gemm": ({"alpha": 0.5, "beta": 2.0}, (X, MATRIX, ROW[0, :2])),
    "Greater": ({}, (X, ROW)),
    "GreaterOrEqual": ({}, (X, ROW)),
    "HardSigmoid": ({"alpha": 0.3, "beta": 0.4}, (X,)),
    "HardSwish": ({}, (2 * X,)),
    "Identity": ({}, (X,)),
    "LeakyRelu": ({"alpha": 0.1}, (X,)),
    "Less": ({}, (X, ROW)),
    "LessOrEqual": ({}, (X, ROW)),
    "Log": ({}, (POSITIVE,)),
    "LogSoftmax": ({}, (X,)),
    "MatMul": ({}, (X, MATRIX)),
    "Mul": ({}, (X, ROW)),
    "Neg": ({}, (X,)),
    "Not": ({}, (TRUE_FALSE,)),
    "Or": ({}, (TRUE_FALSE, FALSE_TRUE)),
    "PRelu": ({}, (X, ROW)),
    "Pow": ({}, (POSITIVE, ROW)),
    "Reciprocal": ({}, (X,)),
    "ReduceMax": ({"keepdims": 0}, (X, i64(1))),
    "ReduceSum": ({}, (X, i64(1))),
    "Relu": ({}, (X,)),
    "Reshape": ({}, (CUBE, i64(0, -1, 2))),
    "Round": ({}, (X,)),
    "Selu": ({"alpha": 2.0, "gamma": 1.5}, (X,)),
    "Sigmoid": ({}, (X,)),
    "Sign": ({}, (X,)),
    "Sin": ({}, (X,)),
    "Sinh": ({}, (X,)),
    "Softmax": ({}, (X,)),
    "Softplus": ({}, (X,)),
    "Softsign": ({}, (X,)),
    "Sqrt": ({}, (POSITIVE,)),
    "Squeeze": ({}, (CUBE[:, :, np.newaxis], i64(2))),
    "Sub": ({}, (X, ROW)),
    "Tan": ({}, (UNIT,)),
    "Tanh": ({}, (X,)),
    "ThresholdedRelu": ({"alpha": 0.8}, (X,)),
    "Transpose": ({"perm": [0, 2, 1]}, (CUBE,)),
    "Unsqueeze": ({}, (X, i64(1, -1))),
    "Where": ({}, (TRUE_FALSE, X, ROW)),
}

#: Other settings of the same operators: (operator, opset, attributes, inputs).
VARIANTS = [
    ("ArgMax", 13, {"axis": 0, "keepdims": 0}, (X,)),
    ("ArgMax", 13, {"axis": 1, "select_last_index": 1}, (np.sign(X),)),
    ("Cast", 13, {"to": 9}, (X,)),
    ("Cast", 13, {"to": 11}, (X,)),
    ("Clip", 13, {}, (X, None, f32(1))),
    ("Clip", 13, {}, (X, f32(2), f32(-2))),
    ("Constant", 13, {"value_int": 3}, ()),
    ("Constant", 13, {"value": X}, ()),
    ("Div", 14, {}, (i64(-7, 7, 5), i64(2, -2, 5))),
    ("Elu", 13, {}, (X,)),
    ("Flatten", 13, {"axis": 2}, (CUBE,)),
    ("Flatten", 13, {"axis": -1}, (CUBE,)),
    ("Flatten", 13, {"axis": 0}, (CUBE,)),
    ("Gather", 13, {}, (X, np.array([[1], [-1]], np.int64))),
    ("Gemm", 13, {"transA": 1, "transB": 1}, (X.T.copy(), MATRIX.T.copy())),
    ("LogSoftmax", 13, {"axis": 0}, (X,)),
    ("MatMul", 13, {}, (CUBE, CUBE[:, :1].transpose(0, 2, 1))),
    ("Pow", 15, {}, (i64(-2, 3, 2), f32(2))),
    ("ReduceMax", 13, {"axes": [0], "keepdims": 1}, (X,)),
    ("ReduceMax", 18, {}, (X,)),
    ("ReduceMax", 18, {"noop_with_empty_axes": 1}, (X,)),
    ("ReduceSum", 13, {"keepdims": 0}, (X,)),
    ("ReduceSum", 13, {"noop_with_empty_axes": 1}, (X, i64())),
    ("Reshape", 14, {}, (CUBE, i64(4, 0, 2))),
    ("Reshape", 14, {}, (CUBE, i64(-1))),
    ("Reshape", 14, {"allowzero": 1}, (CUBE[:, :0], i64(2, 0, 9))),
    ("Round", 13, {}, (f32([-2.5, -0.5, 0.5, 1.5]),)),
    ("Selu", 13, {}, (X,)),
    ("Softmax", 13, {"axis": 1}, (CUBE,)),
    ("Squeeze", 13, {}, (CUBE[:1, :, :1],)),
    ("Squeeze", 13, {}, (CUBE[:1, :, :1], i64(-1))),
    ("ThresholdedRelu", 13, {}, (X,)),
    ("Transpose", 13, {}, (CUBE,)),
    ("Where", 16, {}, (FALSE_TRUE, i64(1, 2, 3, 4), i64(9))),
]
