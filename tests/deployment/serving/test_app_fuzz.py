"""Two thousand odd requests over HTTP: refused, or answered, and the server lives."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fhe_estimators.deployment import Client
from fhe_estimators.deployment._envelope import REQUEST, Envelope
from fhe_estimators.deployment._keyring import key_id_of
from tests.deployment.serving.served import ANN, infer, send_keys

pytestmark = [pytest.mark.fhe, pytest.mark.nightly]

N_RAW, N_BODIES, N_PATHS = 700, 1000, 300
#: Whole keys, and payloads with each.
N_KEYS, N_PAYLOADS = 100, 3
REFUSALS = {400, 401, 404, 405, 408, 409, 410, 411, 413, 422, 429, 431}
GROWTH = 64 << 20


def memory_of(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def mutated(data, random):
    """Return bytes with some flipped, cut, doubled or put in between."""
    data = bytearray(data)
    for _ in range(random.integers(1, 6)):
        place = int(random.integers(len(data) + 1))
        match random.integers(5):
            case 0 if place < len(data):
                data[place] ^= 1 << random.integers(8)
            case 1:
                del data[place:]
            case 2:
                data[place:place] = random.bytes(random.integers(1, 40))
            case 3:
                del data[place : place + random.integers(1, 40)]
            case 4:
                data += data[place : place + 200]
    return bytes(data)


@pytest.mark.parametrize("seed", [0])
def test_odd_requests_are_refused(served, deployed, seed):
    random = np.random.default_rng(seed)
    clients = {
        name: Client(deployed.folder / name / "client.zip") for name in ("linear", "tree")
    }
    requests = {name: client.encrypt(deployed.X[:1]) for name, client in clients.items()}
    token = f"Authorization: Bearer {ANN}"
    head = f"POST /v2/models/linear/infer HTTP/1.1\r\nHost: a\r\n{token}\r\n"
    length = f"Content-Length: {len(requests['linear'])}\r\nConnection: close\r\n\r\n"
    whole = (head + length).encode() + requests["linear"]
    before = memory_of(served.process.pid)
    with served.http() as http:
        assert send_keys(http, clients["tree"]).status_code in (201, 204)
        for _ in range(N_BODIES):
            name = str(random.choice(["linear", "tree"]))
            body = mutated(requests[name], random)
            response = infer(http, name, body)
            assert response.status_code in REFUSALS or body == requests[name]
        for _ in range(N_PATHS):
            path = mutated(b"/v2/models/linear/versions/client", random)
            path = "/" + "".join(chr(c) for c in path if 32 < c < 127 and c not in b"?#")
            method = str(random.choice(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"]))
            url = served.url + "/" + path.replace("%", "%25").lstrip("/")
            assert http.request(method, url).status_code in REFUSALS | {200, 204, 304}
    for _ in range(N_RAW):
        # Heads are mutated, and bytes that belong to them may be missing.
        place = int(random.integers(1, len(head + length)))
        data = mutated(whole[:place], random) + whole[place:]
        try:
            answer = served.raw(data + b"\r\n\r\n", seconds=8)
        except (TimeoutError, ConnectionError):
            continue
        if answer:
            status = int(answer.split(maxsplit=2)[1])
            assert status in REFUSALS | {200}, data[:500]
    assert served.process.poll() is None
    served.wait_until_ready()
    assert b"Traceback" not in served.log.read_bytes()
    assert memory_of(served.process.pid) - before < GROWTH
    with served.http() as http:
        for name, client in clients.items():
            response = infer(http, name, requests[name])
            expected = getattr(deployed, name).predict(deployed.X[:1])
            assert client.decrypt_predict(response.content, requests[name]) == expected


def test_any_payloads_and_keys_go_through_workers(served, deployed):
    """They are computed with, whatever they are; another client's answers stay right."""
    random = np.random.default_rng(0)
    client = Client(deployed.folder / "tree" / "client.zip")
    request = client.encrypt(deployed.X[:1])
    sealed = Envelope.of(request, REQUEST)
    expected = deployed.tree.predict(deployed.X[:1])
    before = memory_of(served.process.pid)
    with served.http() as http:
        send_keys(http, client)
        for number in range(N_KEYS):
            keys = random.bytes(len(client.evaluation_keys))
            key_id = key_id_of(bytes.fromhex(client.family), keys)
            path = f"/v2/keys/{key_id.hex()}"
            assert http.put(path, content=keys).status_code == 201
            for _ in range(N_PAYLOADS):
                payload = random.bytes(len(sealed.payload))
                body = replace(sealed, key=key_id, payload=payload).to_bytes()
                assert infer(http, "tree", body).status_code in (200, 422)
            assert http.delete(path).status_code == 204
            if number % 10 == 0:
                response = infer(http, "tree", request)
                assert client.decrypt_predict(response.content, request) == expected
    assert served.process.poll() is None
    assert memory_of(served.process.pid) - before < GROWTH
