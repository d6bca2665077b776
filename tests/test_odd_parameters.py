"""Whatever a parameter of ours is set to: it serves, or an error names it and its value.

A value that the engine does not know may end the process, which is why they are tried in
processes of their own. Most of what such a process computes are its imports.
"""

import json
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

from fhe_estimators.testing import all_estimators

ROOT = Path(__file__).parents[1]

#: Errors that tell what is wrong: of ours, of scikit-learn, and of Python for wrong types.
TYPED = {"ValueError", "TypeError", "NotImplementedError", "CompilationError", "OSError"}
#: What an error may call the parameter.
NAMES = {
    # In the words of scikit-learn, or of numpy.
    "X": ("X", "array", "to float", "float()"),
    "input": ("input", "inputs"),
    "torch_inputset": ("torch_inputset",),
    "model": ("ONNX model", "No such file", "Is a directory"),
    "ciphertext": ("ciphertext", "no keys"),
}

#: One estimator of each family, what compiles networks, and, at night, all other
#: estimators, some at a time.
TRIED_FIRST = [
    ["LogisticRegression", "GaussianNB", "context"],
    ["RandomForestRegressor", "SkorchClassifier"],
    ["torch", "onnx", "brevitas"],
]
OTHERS = [name for name, _ in all_estimators() if name not in {*chain(*TRIED_FIRST)}]
TRIED = [
    *TRIED_FIRST,
    *(pytest.param(OTHERS[start::6], marks=pytest.mark.nightly) for start in range(6)),
]


@pytest.mark.simulate
@pytest.mark.slow
@pytest.mark.parametrize("names", TRIED, ids=" ".join)
def test_odd_values(names):
    done = subprocess.run(
        [sys.executable, "tests/odd_parameters.py", *names],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    asked, outcomes = lines[::2], lines[1::2]
    assert done.returncode == 0, (asked[-1:], done.stderr[-2000:])
    assert len(asked) == len(outcomes) > 0
    wrong = [
        (name, value, *outcome)
        for (_, name, value), outcome in zip(asked, outcomes, strict=True)
        if not _is_sensible(name, *outcome)
    ]
    assert not wrong, "\n".join(map(str, wrong))


def _is_sensible(name, kinds, message):
    if kinds == "fine":
        return True
    told = any(word in message for word in NAMES.get(name, (name,)))
    return bool(TYPED.intersection(kinds)) and told
