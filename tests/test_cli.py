"""The command line."""

import subprocess
import sys

import joblib
import pytest

from fhe_estimators import LogisticRegression, __version__, cli
from fhe_estimators.quantization import QuantizedModule


def test_version(capsys):
    assert cli.main(["version"]) == 0
    out = capsys.readouterr().out
    assert f"fhe-estimators {__version__}" in out
    assert "concrete-python 2." in out


def test_module_is_the_command_line():
    done = subprocess.run(
        [sys.executable, "-m", "fhe_estimators", "version"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert __version__ in done.stdout


@pytest.mark.parametrize("arguments", [[], ["dance"], ["demo", "--rows", "0"]])
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as raised:
        cli.main(arguments)
    assert raised.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.simulate
def test_export_and_inspect(tmp_path, capsys):
    X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    joblib.dump(LogisticRegression().fit(X, y), tmp_path / "model.joblib")
    folder = tmp_path / "deployed"
    arguments = ["export", str(tmp_path / "model.joblib"), str(folder), "--name", "mine"]
    assert cli.main(arguments) == 0
    assert "What the client learns" in capsys.readouterr().out
    assert cli.main(["inspect", str(folder / "server.zip")]) == 0
    assert "mine\n  for the                          server" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"ERROR: .*p_error <= 2"):
        cli.main([*arguments, "--results-shared"])
    with pytest.raises(SystemExit, match=r"ERROR: .*zip"):
        cli.main(["inspect", str(tmp_path / "model.joblib")])


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
