"""The client's side: what it imports, what it returns, what it refuses."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fhe_estimators import LogisticRegression, RandomForestClassifier
from fhe_estimators.deployment import (
    Client,
    ConformanceError,
    FormatError,
    KeyMismatchError,
    Server,
    save_deployment,
)
from tests.deployment.deployed import Deployed, iris

ROOT = Path(__file__).parents[2]

#: What a client does in a process of its own; it prints what it imported.
CLIENT = """
import sys
from pathlib import Path
import numpy as np
from fhe_estimators.deployment import Client

folder = Path(sys.argv[1])
client = Client(folder / "client.zip", keys=folder / "keys")
if not (folder / "answer").exists():
    (folder / "request").write_bytes(client.encrypt(np.load(folder / "rows.npy")))
    (folder / "evaluation").write_bytes(client.evaluation_keys)
else:
    answer, request = (folder / name for name in ("answer", "request"))
    np.save(
        folder / "labels.npy",
        client.decrypt_predict(answer.read_bytes(), request.read_bytes()),
    )
print(*sys.modules)
"""
SERVER = """
import sys
from pathlib import Path
from fhe_estimators.deployment import Server

folder = Path(sys.argv[1])
server = Server(folder / "server.zip", compiled=folder / "compiled")
request, keys = (folder / name for name in ("request", "evaluation"))
(folder / "answer").write_bytes(server.run(request.read_bytes(), keys.read_bytes()))
print(*sys.modules)
"""


def in_process(code, folder):
    """Run code in a process of its own and return the modules that it imported."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    X, y = iris(2)
    model = LogisticRegression().fit(X, y)
    return Deployed.of(model, tmp_path_factory.mktemp("linear"))


def test_refuses_to_be_pickled(linear):
    with pytest.raises(TypeError, match="secret keys"):
        pickle.dumps(linear.client)


@pytest.mark.simulate
def test_rows_are_checked_as_the_model_does(linear):
    with pytest.raises(ValueError, match="features"):
        linear.client.encrypt([[1.0, 2.0]])
    with pytest.raises(ValueError, match="NaN"):
        linear.client.encrypt([[1.0, 2.0, 3.0, np.nan]])


@pytest.mark.fhe
def test_methods_return_what_the_model_does(linear):
    X, _ = iris(2)
    rows = X[[0, 60, 99]]
    answer = linear.answer(rows)
    client, model = linear.client, linear.model
    assert np.array_equal(client.decrypt_predict(answer), model.predict(rows))
    assert np.array_equal(client.decrypt_proba(answer), model.predict_proba(rows))
    scores = client.decrypt_decision_function(answer)
    assert np.array_equal(scores, model.decision_function(rows))


@pytest.mark.fhe
def test_swapped_and_replayed_answers_are_refused(linear):
    X, _ = iris(2)
    first, second = linear.client.encrypt(X[:1]), linear.client.encrypt(X[99:])
    answers = [linear.server.run(request) for request in (first, second)]
    with pytest.raises(ConformanceError, match="another request"):
        linear.client.decrypt_predict(answers[0])
    with pytest.raises(ConformanceError, match="another request"):
        linear.client.decrypt_predict(answers[1], first)
    labels = linear.client.decrypt_predict(answers[0], first)
    assert np.array_equal(labels, linear.model.predict(X[:1]))
    with pytest.raises(FormatError, match="a request"):
        linear.client.decrypt_predict(second)


@pytest.mark.fhe
def test_answers_for_other_clients_are_refused(linear):
    X, _ = iris(2)
    other = Client(linear.folder / "client.zip")
    request = linear.client.encrypt(X[:1])
    answer = linear.server.run(request)
    with pytest.raises(KeyMismatchError):
        other.decrypt_predict(answer, request)
    other.encrypt(X[:1])
    with pytest.raises(KeyMismatchError):
        other.decrypt_predict(answer)


@pytest.mark.simulate
def test_nothing_was_asked_yet(linear):
    client = Client(linear.folder / "client.zip")
    with pytest.raises(ConformanceError, match="No request"):
        client.decrypt_predict(b"")


@pytest.mark.fhe
def test_secrets_stay_in_their_file(tmp_path):
    """Neither messages, nor what a server gets, nor other files hold a part of them."""
    X, y = iris()
    model = RandomForestClassifier(2, max_depth=3, random_state=0).fit(X, y)
    deployed = Deployed.of(model, tmp_path)
    client = Client(tmp_path / "client.zip", keys=tmp_path / "keys")
    request = client.encrypt(X[:1])
    answer = deployed.server.run(request, client.evaluation_keys)
    secret = client._keys()[0].keys.secret
    part = secret[: 8 * 64]  # 64 words of zero or one
    assert secret.count(part) == 1
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    holders = [path.suffix for path in files if part in path.read_bytes()]
    assert holders == [".secret"]
    for sent in (request, answer, client.evaluation_keys, repr(client).encode()):
        assert part not in sent


@pytest.mark.parametrize("passphrase", ["", b"correct horse", 7])
def test_passphrases_are_texts(tmp_path, passphrase):
    with pytest.raises(TypeError, match="'passphrase' must be a text"):
        Client(tmp_path / "client.zip", keys=tmp_path, passphrase=passphrase)


def test_passphrases_need_a_folder(tmp_path):
    with pytest.raises(ValueError, match="give the parameter 'keys'"):
        Client(tmp_path / "client.zip", passphrase="correct horse")


@pytest.mark.fhe
def test_client_and_server_in_processes_of_their_own(tmp_path):
    """Where a program is compiled already, the server does not need torch either."""
    X, y = iris()
    model = RandomForestClassifier(3, max_depth=3, random_state=0).fit(X, y)
    save_deployment(model, tmp_path)
    np.save(tmp_path / "rows.npy", X[[0, 70]])
    heavy = {"torch", "skorch", "onnx", "xgboost", "lightgbm", "concrete.fhe"}
    assert not heavy & in_process(CLIENT, tmp_path)
    Server(tmp_path / "server.zip", compiled=tmp_path / "compiled")
    assert not heavy & in_process(SERVER, tmp_path)
    assert not heavy & in_process(CLIENT, tmp_path)
    labels = np.load(tmp_path / "labels.npy", allow_pickle=True)
    assert np.array_equal(labels, model.predict(X[[0, 70]]))
