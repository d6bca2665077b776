"""The command line: versions, errors, and the files of a deployment."""

import json
import subprocess
import sys

import joblib
import pytest

from fhe_estimators import LogisticRegression, __version__, cli
from tests.commands import printed, told


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
    found = json.loads(printed(capsys, "inspect", folder / "client.zip", "--json"))
    assert (found["name"], found["role"]) == ("mine", "client")
    assert found["learns"]["server"]
    assert "p_error <= 2" in told(capsys, *arguments, "--results-shared")
    assert "zip" in told(capsys, "inspect", tmp_path / "model.joblib")


def test_versions_as_json(capsys):
    assert json.loads(printed(capsys, "version", "--json"))["fhe-estimators"] == __version__


def test_help_warns_of_pickles(capsys):
    for arguments in (["--help"], ["cost", "--help"]):
        with pytest.raises(SystemExit):
            cli.main(arguments)
        assert "trust" in capsys.readouterr().out


def test_shells_complete_the_commands(capsys):
    with pytest.raises(SystemExit) as raised:
        cli.main(["--print-completion", "bash"])
    assert raised.value.code == 0
    assert "pareto" in capsys.readouterr().out


def test_there_is_a_command_line_without_completion(capsys, monkeypatch):
    monkeypatch.setattr(cli, "find_spec", lambda _: None)
    assert cli.main(["version"]) == 0
    with pytest.raises(SystemExit) as raised:
        cli.main(["--print-completion", "bash"])
    assert raised.value.code == 2
