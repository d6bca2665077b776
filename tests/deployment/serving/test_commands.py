"""``keygen``, ``predict`` and ``serve``."""

import logging
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from fhe_estimators import cli
from fhe_estimators.deployment import Client
from fhe_estimators.deployment.serving import _commands
from tests.commands import told
from tests.deployment.serving.served import ANN

pytestmark = pytest.mark.fhe


@pytest.fixture(autouse=True)
def _loggers():
    """Servers log as nobody else does."""
    loggers = [logging.getLogger(name) for name in ("fhe_estimators", "uvicorn")]
    before = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]
    yield
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.fixture
def rows(deployed, tmp_path):
    path = tmp_path / "rows.csv"
    np.savetxt(path, deployed.X[:3], delimiter=",", header="a,b,c,d", comments="")
    return path


def test_keys_are_made(deployed, tmp_path, capsys):
    path, keys = deployed.folder / "tree" / "client.zip", tmp_path / "keys"
    (tmp_path / "word").write_text("correct horse\n")
    arguments = ["keygen", str(path), "--keys", str(keys)]
    assert cli.main([*arguments, "--passphrase", str(tmp_path / "word")]) == 0
    client = Client(path, keys=keys, passphrase="correct horse")
    out = capsys.readouterr().out
    assert out.startswith(client.key_id)
    assert f"{len(client.evaluation_keys)} bytes" in out
    assert "sealed" in told(capsys, *arguments)
    assert "none.zip" in told(capsys, "keygen", tmp_path / "none.zip")


def test_another_process_predicts(served, deployed, rows, tmp_path):
    """The line that a server prints, with a token in the environment."""
    arguments = ["predict", str(rows), "--quiet", "--url", served.url]
    arguments += ["--model", "tree", "--keys", str(tmp_path / "keys")]
    done = subprocess.run(
        [sys.executable, "-m", "fhe_estimators", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "FHE_ESTIMATORS_TOKEN": ANN},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert [*map(int, done.stdout.split())] == deployed.tree.predict(
        deployed.X[:3]
    ).tolist()


def test_results_are_written(served, deployed, rows, tmp_path, monkeypatch):
    monkeypatch.setenv("FHE_ESTIMATORS_TOKEN", ANN)
    np.save(tmp_path / "rows.npy", deployed.X[:3])
    arguments = ["--url", served.url, "--client", f"{deployed.folder}/linear/client.zip"]
    arguments += ["--keys", str(tmp_path / "keys"), "--method", "predict_proba", "--quiet"]
    expected = deployed.linear.predict_proba(deployed.X[:3])
    for source in ("rows.csv", "rows.npy"):
        for target in ("out.csv", "out.npy"):
            output = tmp_path / target
            given = ["predict", str(tmp_path / source), *arguments, "--output", str(output)]
            assert cli.main(given) == 0
            found = (
                np.load(output)
                if target.endswith("npy")
                else np.loadtxt(output, delimiter=",")
            )
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_errors_are_told_in_a_line(served, rows, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FHE_ESTIMATORS_TOKEN", ANN)
    arguments = ["predict", rows, "--keys", tmp_path / "keys", "--url", served.url]
    message = told(capsys, *arguments, "--model", "none")
    assert "404: There is no model 'none'" in message
    method = ["--method", "decision_function"]
    message = told(capsys, *arguments, "--model", "tree", *method)
    assert "no decision_function" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], "no tokens and no TLS"),
        (["--rows", "0"], "limit 'rows'"),
        (["--tokens", "none.txt"], "none.txt"),
    ],
)
def test_servers_that_are_not_started(deployed, options, message, monkeypatch, capsys):
    monkeypatch.delenv(_commands._TOKENS, raising=False)
    assert message in told(capsys, "serve", deployed.folder, *options)


def test_a_folder_without_deployments_is_refused(tmp_path, capsys):
    assert "no server.zip" in told(capsys, "serve", tmp_path)


@pytest.mark.slow
def test_the_demo_serves_and_goes_a_round_trip(capsys):
    assert cli.main(["serve", "demo", "--round-trip"]) == 0
    out = capsys.readouterr().out
    assert len(re.findall("as in clear: True", out)) == 2
