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
IMAGE = np.sin(np.arange(2 * 2 * 5 * 4, dtype=np.float32)).reshape(2, 2, 5, 4)
KERNEL = np.cos(np.arange(3 * 2 * 3 * 2, dtype=np.float32)).reshape(3, 2, 3, 2)


def i64(*numbers):
    return np.array(numbers, np.int64)


def f32(numbers):
    return np.array(numbers, np.float32)


def u8(numbers):
    return np.array(numbers, np.uint8)


def i8(numbers):
    return np.array(numbers, np.int8)


#: Integers of quantized files.
BYTES = u8([[1, 250, 3, 9], [77, 0, 31, 200], [5, 6, 7, 128]])
SIGNED = i8([[3, -128, 7], [127, 0, -9], [1, -1, 2], [-30, 60, -90]])
#: Two steps of two rows of three features; weights of recurrent layers by number of gates.
SEQUENCE = np.sin(np.arange(12, dtype=np.float32)).reshape(2, 2, 3)
GATES = {
    n: (
        np.cos(np.arange(6 * n, dtype=np.float32)).reshape(1, 2 * n, 3),
        np.sin(np.arange(4 * n, dtype=np.float32)).reshape(1, 2 * n, 2),
        np.sin(np.arange(4 * n, dtype=np.float32)).reshape(1, 4 * n) / 2,
    )
    for n in (1, 3, 4)
}

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
    "AveragePool": ({"kernel_shape": [2, 2], "pads": [1, 0, 0, 1]}, (IMAGE,)),
    "BatchNormalization": (
        {"epsilon": 1e-3},
        (IMAGE, *f32([[2, -1], [0, 3], [1, 2], [4, 9]])),
    ),
    "Cast": ({"to": 7}, (X,)),
    "CastLike": ({}, (X, i64(1))),
    "Ceil": ({}, (X,)),
    "Celu": ({"alpha": 1.5}, (X,)),
    "Clip": ({}, (X, f32(-1), f32(1.5))),
    "Concat": ({"axis": -1}, (X, ROW.repeat(2, 0))),
    "Constant": ({"value_floats": [1.5, -2.0]}, ()),
    "ConstantOfShape": ({"value": i64(3)}, (i64(2, 3),)),
    "Conv": ({"pads": [1, 0, 0, 1], "strides": [2, 1]}, (IMAGE, KERNEL, f32([1, -2, 3]))),
    "Cos": ({}, (X,)),
    "Cosh": ({}, (X,)),
    "Div": ({}, (X, ROW)),
    "Dropout": ({}, (X, f32(0.5))),
    "Elu": ({"alpha": 0.5}, (X,)),
    "Equal": ({}, (np.rint(X), np.array([[-3, 1, 0, 1]], np.float32))),
    "Erf": ({}, (X,)),
    "Exp": ({}, (X,)),
    "Expand": ({}, (CUBE[:, :1], i64(3, 1))),
    "Flatten": ({}, (CUBE,)),
    "Floor": ({}, (X,)),
    "Gather": ({"axis": 1}, (X, i64(2, 0, 2))),
    "Gemm": ({"alpha": 0.5, "beta": 2.0}, (X, MATRIX, ROW[0, :2])),
    "GlobalAveragePool": ({}, (IMAGE,)),
    "GlobalMaxPool": ({}, (IMAGE,)),
    "Greater": ({}, (X, ROW)),
    "GreaterOrEqual": ({}, (X, ROW)),
    "HardSigmoid": ({"alpha": 0.3, "beta": 0.4}, (X,)),
    "Hardmax": ({}, (X,)),
    "HardSwish": ({}, (2 * X,)),
    "Identity": ({}, (X,)),
    "LayerNormalization": ({}, (X, ROW[0], ROW[0])),
    "LeakyRelu": ({"alpha": 0.1}, (X,)),
    "Less": ({}, (X, ROW)),
    "LessOrEqual": ({}, (X, ROW)),
    "Log": ({}, (POSITIVE,)),
    "LogSoftmax": ({}, (X,)),
    "MatMul": ({}, (X, MATRIX)),
    "Max": ({}, (X, ROW, f32(0.8))),
    "MaxPool": ({"kernel_shape": [2, 3], "strides": [2, 1]}, (IMAGE,)),
    "Mean": ({}, (X, ROW, f32(0.8))),
    "Min": ({}, (X, ROW, f32(0.8))),
    "Mod": ({"fmod": 1}, (X, ROW)),
    "Mul": ({}, (X, ROW)),
    "Neg": ({}, (X,)),
    "Not": ({}, (TRUE_FALSE,)),
    "OneHot": ({}, (i64(0, 3, -1, 2), np.array(4), f32([-1, 2]))),
    "Or": ({}, (TRUE_FALSE, FALSE_TRUE)),
    "PRelu": ({}, (X, ROW)),
    "Pad": ({}, (X, i64(0, 1, 0, 2), f32(1.5))),
    "Pow": ({}, (POSITIVE, ROW)),
    "Range": ({}, (np.array(1, np.int64), np.array(-6, np.int64), np.array(-2, np.int64))),
    "Reciprocal": ({}, (X,)),
    "ReduceMax": ({"keepdims": 0}, (X, i64(1))),
    "ReduceMean": ({"keepdims": 0}, (X, i64(1))),
    "ReduceMin": ({"keepdims": 0}, (X, i64(1))),
    "ReduceProd": ({"keepdims": 0}, (X, i64(1))),
    "ReduceSum": ({}, (X, i64(1))),
    "Relu": ({}, (X,)),
    "Reshape": ({}, (CUBE, i64(0, -1, 2))),
    "Round": ({}, (X,)),
    "ScatterElements": ({"axis": 1}, (X, i64([2], [0]), f32([[9], [8]]))),
    "ScatterND": ({}, (X, i64([1, 3], [0, 0]), f32([9, 8]))),
    "Selu": ({"alpha": 2.0, "gamma": 1.5}, (X,)),
    "Shape": ({"start": 1}, (CUBE,)),
    "Sigmoid": ({}, (X,)),
    "Sign": ({}, (X,)),
    "Sin": ({}, (X,)),
    "Sinh": ({}, (X,)),
    "Size": ({}, (CUBE,)),
    "Slice": ({}, (CUBE, i64(0, 2), i64(2, -9), i64(1, -1), i64(1, -2))),
    "Softmax": ({}, (X,)),
    "Softplus": ({}, (X,)),
    "Softsign": ({}, (X,)),
    "Split": ({"axis": 1}, (X, i64(3, 1))),
    "Sqrt": ({}, (POSITIVE,)),
    "Squeeze": ({}, (CUBE[:, :, np.newaxis], i64(2))),
    "Sub": ({}, (X, ROW)),
    "Sum": ({}, (X, ROW, f32(0.8))),
    "Tan": ({}, (UNIT,)),
    "Tanh": ({}, (X,)),
    "ThresholdedRelu": ({"alpha": 0.8}, (X,)),
    "Tile": ({}, (X, i64(2, 3))),
    "Transpose": ({"perm": [0, 2, 1]}, (CUBE,)),
    "Unsqueeze": ({}, (X, i64(1, -1))),
    "Where": ({}, (TRUE_FALSE, X, ROW)),
    "Xor": ({}, (TRUE_FALSE, FALSE_TRUE)),
    "ArgMin": ({"axis": 1}, (X,)),
    "Compress": ({"axis": 1}, (X, np.array([True, False, True]))),
    "ConvTranspose": (
        {"strides": [2, 1], "pads": [1, 0, 0, 1]},
        (IMAGE, KERNEL.swapaxes(0, 1)),
    ),
    "CumSum": ({}, (X, i64(1))),
    "DepthToSpace": ({"blocksize": 2}, (CUBE.reshape(1, 4, 2, 3),)),
    "Einsum": ({"equation": "nij,jk->nik"}, (CUBE, MATRIX)),
    "EyeLike": ({"k": 1}, (X,)),
    "GRU": ({"hidden_size": 2}, (SEQUENCE, *GATES[3])),
    "GatherElements": ({"axis": 1}, (X, i64([2, 0], [-1, 1]))),
    "GatherND": ({"batch_dims": 1}, (CUBE, i64([1, 2], [0, 3]))),
    "Gelu": ({}, (X,)),
    "GroupNormalization": ({"num_groups": 2}, (CUBE.reshape(2, 4, 3), ROW[0], ROW[0])),
    "InstanceNormalization": ({}, (IMAGE, *f32([[2, -1], [0, 3]]))),
    "IsInf": ({}, (f32([1, np.inf, -np.inf]),)),
    "IsNaN": ({}, (f32([1, np.nan]),)),
    "LSTM": ({"hidden_size": 2}, (SEQUENCE, *GATES[4])),
    "LpNormalization": ({}, (X,)),
    "MeanVarianceNormalization": ({}, (IMAGE,)),
    "Mish": ({}, (X,)),
    "NonZero": ({}, (np.rint(X / 2),)),
    "RNN": ({"hidden_size": 2}, (SEQUENCE, *GATES[1])),
    "ReduceL1": ({"keepdims": 0}, (X, i64(1))),
    "ReduceL2": ({"keepdims": 0}, (X, i64(1))),
    "ReduceLogSum": ({"keepdims": 0}, (POSITIVE, i64(1))),
    "ReduceLogSumExp": ({"keepdims": 0}, (X, i64(1))),
    "ReduceSumSquare": ({"keepdims": 0}, (X, i64(1))),
    "Resize": ({}, (IMAGE, None, f32([1, 1, 2, 1.5]))),
    "ReverseSequence": ({"time_axis": 1, "batch_axis": 0}, (X, i64(2, 4))),
    "Shrink": ({"bias": 0.5, "lambd": 1.0}, (X,)),
    "SpaceToDepth": ({"blocksize": 2}, (CUBE.reshape(1, 1, 4, 6),)),
    "TopK": ({}, (X, i64(2))),
    "Trilu": ({}, (CUBE,)),
    "Upsample": ({}, (IMAGE, f32([1, 1, 2, 1.5]))),
    "ConvInteger": ({}, (BYTES.reshape(1, 2, 3, 2), SIGNED.reshape(3, 2, 2, 1), u8(3))),
    "DequantizeLinear": ({}, (BYTES, f32(0.5), u8(3))),
    "MatMulInteger": ({}, (BYTES, SIGNED, u8(3))),
    "QLinearConv": (
        {},
        (
            *(BYTES.reshape(1, 2, 3, 2), f32(0.5), u8(3)),
            *(SIGNED.reshape(3, 2, 2, 1), f32([0.25, 0.5, 2]), i8([0, 0, 0])),
            *(f32(4), u8(7)),
        ),
    ),
    "QLinearMatMul": (
        {},
        (BYTES, f32(0.5), u8(3), SIGNED, f32(0.25), i8(-1), f32(4), u8(7)),
    ),
    "QuantizeLinear": ({}, (X, f32(0.3), u8(3))),
}
