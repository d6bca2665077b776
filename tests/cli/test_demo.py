"""The demo, from fitting to encrypted rows."""

import pytest

from fhe_estimators import cli
from fhe_estimators.quantization import QuantizedModule


@pytest.mark.fhe
def test_demo(capsys):
    assert cli.main(["demo", "--rows", "3", "--quiet"]) == 0
    captured = capsys.readouterr()
    for words in (
        "LogisticRegression, breast cancer, unscaled",
        "GradientBoostingClassifier, credit",
        "credit",
        "accuracy of scikit-learn",
        "accuracy of the quantized model",
        "accuracy of 3 encrypted rows",
        "agreement of encrypted and quantized       100.00%",
        "agreement of encrypted and scikit-learn",
        "seconds: compile",
        "seconds: keys",
        "seconds a row: encrypt",
        "seconds a row: run",
        "seconds a row: decrypt",
        "bytes of keys",
        "bytes a row",
    ):
        assert words in captured.out
    assert captured.err == ""


@pytest.mark.fhe
def test_demo_fails_if_encrypted_and_clear_disagree(capsys, monkeypatch):
    """The exit status is a check, not a decoration."""
    right = QuantizedModule.quantized_forward

    def wrong(self, *inputs, fhe="disable"):
        result = right(self, *inputs, fhe=fhe)
        return result + 1 if fhe == "disable" else result

    monkeypatch.setattr(QuantizedModule, "quantized_forward", wrong)
    assert cli.main(["demo", "--rows", "2", "--quiet"]) == 1
    assert "disagree" in capsys.readouterr().out
