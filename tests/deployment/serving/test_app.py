"""Routes, codes and limits, over HTTP, of a server in another process."""

import hashlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from fhe_estimators.deployment import Client, ConformanceError
from fhe_estimators.deployment._envelope import REQUEST, Envelope
from tests.deployment.serving.served import BOB, infer, send_keys

pytestmark = pytest.mark.fhe

OTHER_NAME = "ab" * 32


@pytest.fixture(scope="module")
def linear(deployed):
    return Client(deployed.folder / "linear" / "client.zip")


@pytest.fixture(scope="module")
def tree(deployed):
    return Client(deployed.folder / "tree" / "client.zip")


@pytest.fixture
def ann(served):
    with served.http() as http:
        yield http


@pytest.fixture
def bob(served):
    with served.http(BOB) as http:
        yield http


def codes(response):
    return response.status_code, response.json().get("kind")


def test_health_needs_no_token(served):
    with served.http(None) as http:
        assert http.get("/v2/health/live").status_code == 200
        assert http.get("/v2/health/ready").json() == {"ready": True}


@pytest.mark.parametrize(
    "path", ["/", "/v2/models/linear", "/v2/models/linear/client", f"/v2/keys/{OTHER_NAME}"]
)
@pytest.mark.parametrize("token", [None, "", "wrong" * 8])
def test_all_else_needs_one(served, path, token):
    with served.http(token) as http:
        response = http.get(path)
        assert response.status_code == 401
        # A browser asks for a password if this is the only way that it is told of.
        scheme = "Basic" if path == "/" else "Bearer"
        assert response.headers["WWW-Authenticate"].split()[0] == scheme


def test_a_linear_model_answers_without_keys(ann, linear, deployed):
    request = linear.encrypt(deployed.X)
    answer = infer(ann, "linear", request)
    assert answer.status_code == 200
    found = linear.decrypt_predict(answer.content)
    assert np.array_equal(found, deployed.linear.predict(deployed.X))


def test_a_tree_answers_once_it_has_keys(served, tree, deployed):
    """Sent twice they are kept once, and deleted they are gone."""
    rows = deployed.X[:3]
    with served.http() as ann:
        ann.delete(f"/v2/keys/{tree.key_id}")
        request = tree.encrypt(rows)
        assert codes(infer(ann, "tree", request)) == (404, "KeysMissingError")
        assert ann.head(f"/v2/keys/{tree.key_id}").status_code == 404
        response = send_keys(ann, tree)
        assert response.status_code == 201
        assert response.json() == {"key_id": tree.key_id, "family": tree.family}
        found = ann.head(f"/v2/keys/{tree.key_id}")
        assert (found.status_code, found.content) == (200, b"")
        assert int(found.headers["X-Key-Bytes"]) == len(tree.evaluation_keys)
        answer = infer(ann, "tree", request)
        assert np.array_equal(
            tree.decrypt_predict(answer.content), deployed.tree.predict(rows)
        )
        assert ann.delete(f"/v2/keys/{tree.key_id}").status_code == 204
        assert ann.delete(f"/v2/keys/{tree.key_id}").status_code == 404
        assert infer(ann, "tree", request).status_code == 404


def test_tenants_do_not_see_keys_of_each_other(ann, bob, tree, deployed):
    send_keys(ann, tree)
    assert ann.head(f"/v2/keys/{tree.key_id}").status_code == 200
    assert bob.head(f"/v2/keys/{tree.key_id}").status_code == 404
    assert bob.delete(f"/v2/keys/{tree.key_id}").status_code == 404
    request = tree.encrypt(deployed.X[:1])
    assert infer(bob, "tree", request).status_code == 404
    assert infer(ann, "tree", request).status_code == 200


def test_keys_of_other_clients_and_families_are_told_apart(ann, tree, deployed):
    other = Client(deployed.folder / "tree" / "client.zip")
    send_keys(ann, tree)
    response = infer(ann, "tree", other.encrypt(deployed.X[:1]))
    assert codes(response) == (404, "KeysMissingError")
    response = ann.put(f"/v2/keys/{OTHER_NAME}", content=bytes(1000))
    assert codes(response) == (409, "KeyMismatchError")
    # Of the right size, but not what they are called.
    response = ann.put(f"/v2/keys/{OTHER_NAME}", content=other.evaluation_keys)
    assert codes(response) == (400, "FormatError")
    assert ann.head(f"/v2/keys/{OTHER_NAME}").status_code == 404


def test_two_uploads_at_once(ann, tree, deployed):
    ann.delete(f"/v2/keys/{tree.key_id}")
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda _: send_keys(ann, tree).status_code, range(3)))
    assert set(found) <= {201, 204}
    answer = infer(ann, "tree", tree.encrypt(deployed.X[:1]))
    assert tree.decrypt_predict(answer.content) == deployed.tree.predict(deployed.X[:1])


def test_keys_are_limited_in_size_and_have_names(served, ann):
    head = f"PUT /v2/keys/{OTHER_NAME} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    head += f"Authorization: {ann.headers['Authorization']}\r\n"
    found = served.raw(f"{head}Content-Length: {129 << 20}\r\n\r\n".encode())
    assert b" 413 " in found.splitlines()[0]
    for name in ("a", "AB" * 32, "ab" * 33, "..%2f..", "%00" * 64):
        assert ann.put(f"/v2/keys/{name}", content=b"a").status_code in (400, 404)


def test_wrong_requests_are_refused(ann, linear, deployed):
    request = linear.encrypt(deployed.X[:2])
    size = linear.manifest.row_bytes
    sealed = Envelope.of(request, REQUEST)
    for body, expected in (
        (b"", (400, "FormatError")),
        (request[:-1], (400, "FormatError")),
        (request + b"\0", (400, "FormatError")),
        (request[:-1] + bytes([request[-1] ^ 1]), (400, "FormatError")),
        (bytes(len(request)), (400, "FormatError")),
        (replace(sealed, rows=3).to_bytes(), (400, "FormatError")),
        (replace(sealed, rows=0, payload=b"").to_bytes(), (400, "ConformanceError")),
        (replace(sealed, rows=65).to_bytes(), (400, "ConformanceError")),
        (replace(sealed, model=bytes(32)).to_bytes(), (400, "ConformanceError")),
        (bytes(65 * size + 200), (413, "HTTPException")),
    ):
        assert codes(infer(ann, "linear", body)) == expected
    assert codes(infer(ann, "tree", request)) == (400, "ConformanceError")
    assert codes(infer(ann, "none", request)) == (404, "ModelMissingError")
    response = infer(ann, "linear", request, f"/versions/{OTHER_NAME}")
    assert codes(response) == (404, "ModelMissingError")
    version = f"/versions/{linear.model_digest}"
    assert infer(ann, "linear", request, version).status_code == 200


def test_any_payload_of_the_right_length_is_answered(ann, linear, deployed):
    sealed = Envelope.of(linear.encrypt(deployed.X[:2]), REQUEST)
    random = np.random.default_rng(0)
    for payload in (b"\xff" * len(sealed.payload), random.bytes(len(sealed.payload))):
        body = replace(sealed, payload=payload).to_bytes()
        assert infer(ann, "linear", body).status_code == 200


def test_a_replayed_answer_is_none_to_another_request(ann, linear, deployed):
    """The server answers a request as often as it is asked; clients know their requests."""
    request, other = linear.encrypt(deployed.X[:1]), linear.encrypt(deployed.X[:1])
    answers = [infer(ann, "linear", request).content for _ in range(2)]
    for answer in answers:
        linear.decrypt_predict(answer, request)
        with pytest.raises(ConformanceError, match="another request"):
            linear.decrypt_predict(answer, other)


def test_lengths_have_to_be_told_and_true(served, linear, deployed):
    request = linear.encrypt(deployed.X[:1])
    head = b"POST /v2/models/linear/infer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    head += b"Authorization: Bearer " + served.http().headers["Authorization"][7:].encode()
    chunked = b"\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert b" 411 " in served.raw(head + chunked).splitlines()[0]
    assert b" 411 " in served.raw(head + b"\r\n\r\n").splitlines()[0]
    for text in (b"x", b"-1", b"1" * 25, b"1, 2"):
        found = served.raw(head + b"\r\nContent-Length: " + text + b"\r\n\r\n")
        assert b" 400 " in found.splitlines()[0]
    # What follows a body is no part of it.
    length = b"\r\nContent-Length: %d\r\n\r\n" % len(request)
    found = served.raw(head + length + request + b"more")
    assert b" 200 " in found.splitlines()[0]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_slow_and_cut_bodies_are_not_waited_for(served, tree, method):
    path = {"POST": "/v2/models/tree/infer", "PUT": f"/v2/keys/{OTHER_NAME}"}[method]
    size = {"POST": 500, "PUT": len(tree.evaluation_keys)}[method]
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n"
        f"Authorization: {served.http().headers['Authorization']}\r\n\r\n"
    ).encode()
    if method == "POST":
        start = time.monotonic()
        assert b" 408 " in served.raw(head + b"abc").splitlines()[0]
        assert time.monotonic() - start < 5
    # The client is gone: there is nobody to answer, and nothing is kept.
    with pytest.raises(TimeoutError):
        served.raw(head + b"abc", seconds=0.3)
    time.sleep(0.2)
    assert not list((served.log.parent / ".state" / "keys").glob("*/new/*"))


def test_headers_that_do_not_come_are_not_waited_for(served):
    for data in (b"", b"GET / HTTP/1.1\r\nHost:"):
        start = time.monotonic()
        served.raw(data)
        assert 1 < time.monotonic() - start < 6


def test_headers_are_limited(served):
    data = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n"
    assert b" 400 " in served.raw(data).splitlines()[0]


def test_one_tenant_that_floods_does_not_stop_others(served, ann, bob, linear, deployed):
    request = linear.encrypt(np.repeat(deployed.X, 3, axis=0)[:64])
    found, stop = [], threading.Event()

    def flood():
        with served.http() as http:
            while not stop.is_set():
                found.append(infer(http, "linear", request))

    threads = [threading.Thread(target=flood) for _ in range(12)]
    for thread in threads:
        thread.start()
    mine = [infer(bob, "linear", request).status_code for _ in range(8)]
    stop.set()
    for thread in threads:
        thread.join()
    assert mine == [200] * 8
    refused = [response for response in found if response.status_code == 429]
    assert {response.status_code for response in found} == {200, 429}
    assert all(int(response.headers["Retry-After"]) >= 1 for response in refused)


def test_the_bundle_of_a_client_is_fetched_once(ann, deployed):
    response = ann.get("/v2/models/tree/client")
    content = (deployed.folder / "tree" / "client.zip").read_bytes()
    assert response.content == content
    tag = response.headers["ETag"]
    for known in (tag, f'"other", W/{tag}'):
        again = ann.get("/v2/models/tree/client", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
    other = ann.get("/v2/models/tree/client", headers={"If-None-Match": '"other"'})
    assert other.content == content


def test_models_are_described(ann, tree):
    found = ann.get("/v2/models/tree").json()
    assert found["name"] == "tree"
    assert found["versions"] == [tree.model_digest]
    assert found["parameters"]["family"] == tree.family
    assert found["parameters"]["learns"]["server"]
    version = ann.get(f"/v2/models/tree/versions/{tree.model_digest}")
    assert version.json() == found


def test_the_open_inference_protocol(ann, linear, deployed):
    request = linear.encrypt(deployed.X[:2])
    tensor = {
        "name": "request",
        "shape": [1, len(request)],
        "datatype": "UINT8",
        "parameters": {"binary_data_size": len(request)},
    }
    text = json.dumps({"id": "42", "inputs": [tensor]}).encode()
    name = "Inference-Header-Content-Length"
    path = "/v2/models/linear/infer"
    response = ann.post(path, content=text + request, headers={name: str(len(text))})
    size = int(response.headers[name])
    document = json.loads(response.content[:size])
    assert (document["id"], document["model_version"]) == ("42", linear.model_digest)
    found = linear.decrypt_predict(response.content[size:], request)
    assert np.array_equal(found, deployed.linear.predict(deployed.X[:2]))
    response = ann.post(path, content=text + request, headers={name: str(len(text) + 1)})
    assert response.status_code == 400


class Page(HTMLParser):
    """What a page shows, and whether its elements are closed."""

    def __init__(self):
        super().__init__()
        self.text, self.open, self.links = "", [], []

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self.open.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_start_page_shows_models_costs_and_what_is_learned(served, ann, tree):
    with served.http(None) as http:
        response = http.get("/", auth=("", ann.headers["Authorization"][7:]))
    page = Page()
    page.feed(response.text)
    assert page.open == page.links == []
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    manifest = tree.manifest
    for words in (
        "linear",
        "tree",
        f"{manifest.key_bytes:,}",
        f"{manifest.row_bytes:,}",
        *manifest.learns["client"],
        *manifest.learns["server"],
        f"predict --url {served.url} --model linear",
    ):
        assert words in page.text


def test_other_paths_and_methods(ann):
    assert ann.get("/v2/nothing").status_code == 404
    assert ann.get("/v2/models/tree/").status_code == 404
    assert ann.delete("/v2/models/tree").status_code == 405
    assert ann.get("/v2/health/live").headers["X-Content-Type-Options"] == "nosniff"


def test_logs_tell_no_names_of_keys_no_tokens_and_no_payloads(served, ann, tree, deployed):
    send_keys(ann, tree)
    request = tree.encrypt(deployed.X[:1])
    answer = infer(ann, "tree", request)
    assert answer.status_code == 200
    entry, until = {}, time.monotonic() + 10
    # The answer may be here before its line is written.
    while entry.get("status") != 200 and time.monotonic() < until:
        log = served.log.read_bytes()
        lines = [json.loads(line) for line in log.splitlines() if line.startswith(b"{")]
        routes = [line for line in lines if line.get("route", "").endswith("/infer")]
        entry = (routes or [{}])[-1]
    assert entry["status"] == 200
    assert entry["bytes_sent"] == len(answer.content)
    token = ann.headers["Authorization"][7:].encode()
    assert entry["tenant"] == hashlib.sha256(token).hexdigest()[:8]
    for secret in (
        token,
        tree.key_id.encode(),
        request[-40:],
        request[-40:].hex().encode(),
    ):
        assert secret not in log
