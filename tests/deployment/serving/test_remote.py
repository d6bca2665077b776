"""Models on a server, as estimators here."""

import contextlib
import pickle
import socket
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_html_repr
from sklearn.utils.validation import check_is_fitted

from fhe_estimators.deployment import (
    Client,
    DeploymentError,
    FormatError,
    RemoteModel,
    ServerBusyError,
)
from fhe_estimators.deployment.serving import _remote, fetch_client
from tests.deployment.serving.served import ANN

pytestmark = pytest.mark.fhe


@pytest.fixture(scope="module", params=["linear", "tree"])
def pair(request, deployed, served):
    """A model, and one of its kind on a server."""
    client = Client(deployed.folder / request.param / "client.zip")
    model = RemoteModel(served.url, client, ANN, n_rows=5)
    return getattr(deployed, request.param), model


def test_it_has_the_methods_of_the_model(pair, deployed):
    model, remote = pair
    for name in ("predict", "predict_proba", "decision_function"):
        if not hasattr(model, name):
            assert not hasattr(remote, name)
            continue
        expected = getattr(model, name)(deployed.X)
        np.testing.assert_allclose(getattr(remote, name)(deployed.X), expected, rtol=1e-12)
    assert np.array_equal(remote.classes_, model.classes_)
    assert remote.n_features_in_ == 4
    assert not hasattr(remote, "feature_names_in_")


def test_it_is_a_fitted_estimator(pair, deployed):
    model, remote = pair
    expected = model.predict(deployed.X)
    check_is_fitted(remote)
    assert is_classifier(remote)
    again = clone(remote)
    assert again is not remote
    assert again.client is remote.client
    check_is_fitted(again)
    assert again.fit(deployed.X[:1]) is again
    pipeline = make_pipeline(FunctionTransformer(np.negative), again)
    assert np.array_equal(pipeline.predict(-deployed.X), expected)
    assert pipeline.score(-deployed.X, expected) == 1
    found = cross_val_predict(remote, deployed.X, expected, cv=2)
    assert np.array_equal(found, expected)
    with warnings.catch_warnings():
        voting = VotingClassifier([("a", FrozenEstimator(remote))], voting="soft")
        voting.fit(deployed.X, expected)
    assert np.array_equal(voting.predict(deployed.X), expected)


def test_secrets_are_neither_shown_nor_pickled(pair):
    _, remote = pair
    for text in (repr(remote), repr(make_pipeline(remote)), estimator_html_repr(remote)):
        assert ANN not in text
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(remote)


def test_progress_is_shown(pair, deployed, capsys):
    clone(pair[1]).set_params(progress=True).predict(deployed.X)
    assert f"{len(deployed.X)}/{len(deployed.X)}" in capsys.readouterr().err


def test_wrong_rows_and_parameters_are_refused(pair, deployed):
    _, remote = pair
    with pytest.raises(ValueError, match="0 sample"):
        remote.predict(deployed.X[:0])
    with pytest.raises(ValueError, match="features"):
        remote.predict(deployed.X[:, :3])
    with pytest.raises(ValueError, match="must be positive"):
        clone(remote).set_params(n_rows=0).predict(deployed.X)


def test_refusals_of_the_server_are_errors(pair, deployed):
    _, remote = pair
    with pytest.raises(DeploymentError, match="answered 401"):
        clone(remote).set_params(token="wrong" * 8).predict(deployed.X)
    with pytest.raises(DeploymentError, match="413"):
        clone(remote).set_params(n_rows=70).predict(np.repeat(deployed.X, 4, axis=0))


def test_bundles_are_fetched(served, deployed, tmp_path):
    path = tmp_path / "client.zip"
    assert fetch_client(served.url, "tree", path, ANN) == path
    content = (deployed.folder / "tree" / "client.zip").read_bytes()
    assert path.read_bytes() == content
    when = path.stat().st_mtime_ns
    fetch_client(served.url, "tree", path, ANN)
    assert path.stat().st_mtime_ns == when
    with pytest.raises(DeploymentError, match="404"):
        fetch_client(served.url, "none", path, ANN)


class Scripted:
    """A server that answers what it is told, in order."""

    def __init__(self, *answers):
        outer, self.asked = self, []
        self.answers = list(answers)

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                size = int(self.headers.get("Content-Length", 0))
                outer.asked.append((self.command, self.rfile.read(size)))
                status, headers, body = outer.answers.pop(0)
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_HEAD = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def waits(monkeypatch):
    found = []
    monkeypatch.setattr(_remote.time, "sleep", found.append)
    return found


@pytest.fixture(scope="module")
def client(deployed):
    return Client(deployed.folder / "linear" / "client.zip")


def test_requests_are_repeated_with_growing_pauses(client, deployed, waits):
    """The same bytes each time: nothing depends on what is in them."""
    answers = [(503, {}, b""), (429, {"Retry-After": "7"}, b""), (None, {}, b"")]
    with (
        Scripted(*answers, (502, {}, b""), (400, {}, b"")) as scripted,
        pytest.raises(DeploymentError, match="400"),
    ):
        RemoteModel(scripted.url, client).predict(deployed.X[:1])
    assert len(scripted.asked) == 5
    assert len(set(scripted.asked)) == 1
    assert waits[1] == 7
    for number, wait in enumerate(waits):
        assert wait <= 0.375 * 2**number or number == 1


def test_retries_end(client, deployed, waits):
    answers = [(429, {"Retry-After": "3"}, b'{"error": "busy", "kind": "x"}')] * 3
    with Scripted(*answers) as scripted:
        remote = RemoteModel(scripted.url, client, retries=2)
        with pytest.raises(ServerBusyError, match="busy") as raised:
            remote.predict(deployed.X[:1])
    assert raised.value.retry_after == 3
    assert len(waits) == 2
    with pytest.raises(DeploymentError, match="does not answer"):
        remote.predict(deployed.X[:1])


@pytest.mark.parametrize("body", [b"", b"x" * 500])
def test_what_is_no_answer_is_refused_and_not_asked_for_again(
    client, deployed, waits, body
):
    with Scripted((200, {}, body)) as scripted:
        remote = RemoteModel(scripted.url, client)
        with pytest.raises(FormatError):
            remote.predict(deployed.X[:1])
    assert waits == []


def test_errors_of_the_server_keep_their_class(client, deployed, waits):
    body = b'{"error": "cut", "kind": "FormatError"}'
    with (
        Scripted((400, {}, body)) as scripted,
        pytest.raises(FormatError, match="400: cut"),
    ):
        RemoteModel(scripted.url, client).predict(deployed.X[:1])


class Losing:
    """What stands between: it passes connections on, and loses the first answers."""

    def __init__(self, port, losses):
        self._port, self.left, self.asked = port, losses, 0
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept)
        self._connections, self._threads = [], []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self._thread.join()
        for both in self._connections:
            self._end(*both)
        for thread in self._threads:
            thread.join()

    def _accept(self):
        while True:
            try:
                here, _ = self._door.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self._port))
            self._connections.append((here, there))
            for target, ends in ((self._forth, (here, there)), (self._back, (there, here))):
                self._threads.append(threading.Thread(target=target, args=ends))
                self._threads[-1].start()

    @staticmethod
    def _end(*ends):
        for end in ends:
            # Closed alone, a connection stays as long as the other thread reads.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _forth(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self.asked += data.startswith(b"POST ")
                target.sendall(data)

    def _back(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if self.left:
                    # It was computed, and nobody hears of it.
                    self.left -= 1
                    break
                target.sendall(data)
        self._end(source, target)


def test_answers_that_are_lost_are_computed_again(served, deployed, client, waits):
    with Losing(served.port, losses=2) as between:
        remote = RemoteModel(between.url, client, ANN)
        found = remote.predict(deployed.X[:3])
    assert between.asked == 3
    np.testing.assert_array_equal(found, deployed.linear.predict(deployed.X[:3]))
    assert served.is_ready()
