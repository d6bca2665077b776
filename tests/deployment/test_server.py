"""The server's side: what it refuses, and what it needs."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from fhe_estimators import (
    DecisionTreeClassifier,
    LogisticRegression,
    RandomForestClassifier,
)
from fhe_estimators.core.engine import Evaluator
from fhe_estimators.deployment import (
    Client,
    ConformanceError,
    DeploymentError,
    FormatError,
    KeyMismatchError,
    Server,
    save_deployment,
)
from fhe_estimators.deployment._envelope import REQUEST, Envelope
from fhe_estimators.deployment._program import Source
from fhe_estimators.exceptions import CompilationError
from tests.deployment.deployed import Deployed, iris

pytestmark = pytest.mark.fhe


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    X, y = iris(2)
    model = LogisticRegression().fit(X, y)
    return Deployed.of(model, tmp_path_factory.mktemp("linear"))


@pytest.fixture(scope="module")
def forest(tmp_path_factory):
    X, y = load_breast_cancer(return_X_y=True)
    model = RandomForestClassifier(3, max_depth=3, random_state=0).fit(X, y)
    return Deployed.of(model, tmp_path_factory.mktemp("forest"))


def resealed(request, **changes):
    """Return a request with other fields, and a digest that is right."""
    return replace(Envelope.of(request, REQUEST), **changes).to_bytes()


def test_requests_for_other_models_are_refused(linear, forest):
    X, _ = iris(2)
    with pytest.raises(ConformanceError, match="for the model"):
        forest.server.run(linear.client.encrypt(X[:1]))


def test_rows_are_counted(linear):
    X, _ = iris(2)
    request = linear.client.encrypt(X[:2])
    small = Server(linear.folder / "server.zip", max_rows=1)
    with pytest.raises(ConformanceError, match="from 1 to 1 rows; got 2"):
        small.run(request)
    for rows in (0, 65, 2**32 - 1):
        with pytest.raises(ConformanceError, match="rows"):
            linear.server.run(resealed(request, rows=rows))
    with pytest.raises(FormatError, match="3 encrypted rows have"):
        linear.server.run(resealed(request, rows=3))


def test_payloads_have_one_length(linear):
    X, _ = iris(2)
    request = linear.client.encrypt(X[:1])
    payload = Envelope.of(request, REQUEST).payload
    for other in (b"", payload[:-1], payload + b"\0", payload * 2):
        with pytest.raises(FormatError, match="encrypted rows have"):
            linear.server.run(resealed(request, payload=other))


def test_any_payload_of_that_length_is_computed(linear):
    """It gives some answer, and no crash: descriptions are the server's own."""
    X, _ = iris(2)
    request = linear.client.encrypt(X[:1])
    size = len(Envelope.of(request, REQUEST).payload)
    random = np.random.default_rng(0)
    for payload in (bytes(size), b"\xff" * size, *(random.bytes(size) for _ in range(20))):
        linear.server.run(resealed(request, payload=payload))


def test_keys_are_checked(forest):
    X, _ = load_breast_cancer(return_X_y=True)
    rows, client, server = X[[0, 19]], forest.client, forest.server
    request = client.encrypt(rows)
    keys = server.load_keys(client.evaluation_keys, client.key_id)
    answer = server.run(request, keys)
    assert np.array_equal(client.decrypt_predict(answer), forest.model.predict(rows))
    other = Client(forest.folder / "client.zip")
    with pytest.raises(KeyMismatchError, match="encrypted with the keys"):
        server.run(other.encrypt(rows), keys)
    for wrong in (None, b"", client.evaluation_keys[:-1], client.evaluation_keys + b"\0"):
        with pytest.raises(KeyMismatchError, match=r"have .* bytes; got"):
            server.run(request, wrong)
    with pytest.raises(KeyMismatchError, match="must be bytes; got str"):
        server.run(request, "keys")
    changed = bytearray(client.evaluation_keys)
    changed[1000] ^= 1
    with pytest.raises(KeyMismatchError, match="their digest is"):
        server.load_keys(bytes(changed), client.key_id)
    with pytest.raises(KeyMismatchError, match="encrypted with the keys"):
        server.run(request, bytes(changed))


def test_models_of_a_family_share_keys(forest, tmp_path):
    """A smaller model, compiled for the keys of a larger one."""
    X, y = load_breast_cancer(return_X_y=True)
    model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)
    guest = Deployed.of(model, tmp_path, key_family=forest.folder)
    assert guest.manifest.tables
    assert guest.manifest.family == forest.manifest.family
    rows, folder = X[[0, 19]], tmp_path / "keys"
    host = Client(forest.folder / "client.zip", keys=folder)
    client = Client(tmp_path / "client.zip", keys=folder)
    assert client.key_id == host.key_id
    keys = forest.server.load_keys(host.evaluation_keys)
    answer = guest.server.run(client.encrypt(rows), keys)
    assert np.array_equal(client.decrypt_predict(answer), model.predict(rows))


def test_models_without_tables_need_no_keys(linear, forest, tmp_path):
    assert not linear.server.needs_keys
    assert linear.client.evaluation_keys == b""
    manifest = save_deployment(linear.model, tmp_path, key_family=forest.folder)
    assert manifest.key_bytes == 0


def test_whole_grids_are_sent(forest):
    """A request does not tell how much of it the server reads."""
    (encoder,) = forest.model.quantized_module.input_quantizers
    assert forest.manifest.row_bytes == 24 * encoder.n_inputs


def test_compiled_programs_are_kept_in_a_private_folder(linear, tmp_path):
    folder = tmp_path / "compiled"
    for _ in range(2):
        Server(linear.folder / "server.zip", compiled=folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    programs = sorted(folder.iterdir())
    assert len(programs) == 2  # for one row, and for several
    assert all(path.name.startswith(linear.server.model_digest) for path in programs)
    folder.chmod(0o770)
    with pytest.raises(DeploymentError, match="'chmod 700"):
        Server(linear.folder / "server.zip", compiled=folder)


def test_other_parameters_than_clients_have_are_refused(linear, forest, monkeypatch):
    found = forest.server._specification
    monkeypatch.setattr(Evaluator, "specification_in", staticmethod(lambda _: found))
    with pytest.raises(ConformanceError, match=r"compiles .* with other parameters"):
        Server(linear.folder / "server.zip")


class Counting:
    """An evaluator that counts its calls."""

    def __init__(self, evaluator):
        self.evaluator, self.calls = evaluator, 0

    def __getattr__(self, name):
        return getattr(self.evaluator, name)

    def run(self, payload, keys):
        self.calls += 1
        return self.evaluator.run(payload, keys)


@pytest.mark.parametrize("n_rows", [1, 7, 8, 19])
@pytest.mark.parametrize("name", ["linear", "forest"])
def test_several_rows_are_computed_in_one_call(request, monkeypatch, name, n_rows):
    """With the same ciphertexts, and the same keys, as row by row."""
    deployed = request.getfixturevalue(name)
    X = iris(2)[0] if name == "linear" else load_breast_cancer().data
    server, rows = deployed.server, X[:: len(X) // n_rows][:n_rows]
    single, batch = Counting(server._evaluator), Counting(server._batch)
    monkeypatch.setattr(server, "_evaluator", single)
    monkeypatch.setattr(server, "_batch", batch)
    sent = deployed.client.encrypt(rows)
    answer = server.run(sent, deployed.client.evaluation_keys)
    (found,) = deployed.client.decrypt_integers(answer)
    q_rows = deployed.model.quantize_input(rows)
    expected = deployed.model.quantized_module.quantized_forward(q_rows)
    assert np.array_equal(found, expected)
    assert (batch.calls, single.calls) == (n_rows // 8, n_rows % 8)


def test_models_that_have_no_batches_are_served_row_by_row(linear, tmp_path, monkeypatch):
    X, _ = iris(2)

    def compiled(self, family, rows=1):
        if rows > 1:
            raise CompilationError("no parameters")
        return compile_(self, family, rows)

    compile_ = Source.compiled
    monkeypatch.setattr(Source, "compiled", compiled)
    server = Server(linear.folder / "server.zip", compiled=tmp_path / "compiled")
    assert server._batch is None
    answer = server.run(linear.client.encrypt(X[:9]))
    assert np.array_equal(
        linear.client.decrypt_predict(answer), linear.model.predict(X[:9])
    )
    # Nobody tries again.
    monkeypatch.setattr(Source, "compiled", None)
    assert Server(linear.folder / "server.zip", compiled=tmp_path / "compiled")
