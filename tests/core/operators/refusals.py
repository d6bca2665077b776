"""The cases of ONNX's own data that have no result here, or another one."""

from fhe_estimators.exceptions import UnsupportedOperatorError

#: What we refuse. Pattern of the names of cases -> (error, pattern of its message).
EXPECTED_REFUSALS = {
    # numpy has no such types of elements.
    r"cast(like)?_.*(FLOAT8|U?INT4|BFLOAT16|STRING).*": (
        UnsupportedOperatorError,
        "holds elements of the type|the element type",
    ),
    r"(de)?quantizelinear_(e4m3|e5m2|u?int4).*": (
        UnsupportedOperatorError,
        "holds elements of the type",
    ),
    r"(de)?quantizelinear_blocked.*": (
        UnsupportedOperatorError,
        "a scale for each block of elements",
    ),
    r"equal_string(_broadcast)?": (UnsupportedOperatorError, "of the type STRING"),
    r"identity_(opt|sequence)": (UnsupportedOperatorError, "is no tensor"),
    # We compute predictions; training drops at random and normalizes batches.
    r"batchnorm_.*_training_mode": (UnsupportedOperatorError, "in training mode"),
    r"training_dropout(_default)?(_mask)?": (UnsupportedOperatorError, "in training mode"),
    # The second result of MaxPool tells where the largest elements are.
    r"maxpool_with_argmax.*": (UnsupportedOperatorError, "second result"),
}

#: What has another result here, and why.
OTHER_RESULTS = {
    **dict.fromkeys(
        (f"qlinearmatmul_{n}D_int8_float{bits}" for n in (2, 3) for bits in (16, 32)),
        "the data wraps around; the specification says that integers saturate",
    ),
    "averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True": (
        "a last window that is not whole counts no elements beyond the padding"
    ),
}
