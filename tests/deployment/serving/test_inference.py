"""The Open Inference Protocol, with binary tensors."""

import json

import pytest

from fhe_estimators.deployment import FormatError
from fhe_estimators.deployment.serving import _inference


def written(content, **changes):
    tensor = {
        "name": "request",
        "datatype": "UINT8",
        "shape": [1, len(content)],
        "parameters": {"binary_data_size": len(content)},
        **changes,
    }
    text = json.dumps({"id": "7", "inputs": [tensor]}).encode()
    return text + content, str(len(text))


def test_requests_are_read():
    assert _inference.read(*written(b"abc")) == (b"abc", "7")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"datatype": "FP32"},
        {"shape": [3]},
        {"shape": 3},
        {"parameters": {}},
        {"parameters": {"binary_data_size": 2}},
    ],
)
def test_other_tensors_are_refused(changes):
    with pytest.raises(FormatError):
        _inference.read(*written(b"abc", **changes))


@pytest.mark.parametrize("length", ["", "x", "-1", "9999999", "99999", "1", "0", "²"])
def test_wrong_lengths_are_refused(length):
    with pytest.raises(FormatError):
        _inference.read(written(b"abc")[0], length)


@pytest.mark.parametrize(
    "text", ["[]", "null", "{}", '{"inputs": []}', '{"id": 1, "inputs": [{}]}', "[" * 9000]
)
def test_other_documents_are_refused(text):
    with pytest.raises(FormatError):
        _inference.read(text.encode(), str(len(text)))


def test_answers_are_written():
    body, size = _inference.write(b"abc", "model", "version", "7")
    document = json.loads(body[:size])
    assert body[size:] == b"abc"
    assert document["id"] == "7"
    (output,) = document["outputs"]
    assert output["parameters"] == {"binary_data_size": 3}
