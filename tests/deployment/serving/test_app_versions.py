"""Versions of a model over HTTP, and bundles that are not served."""

import asyncio

import httpx
import pytest

from fhe_estimators.deployment import ConformanceError
from fhe_estimators.deployment._envelope import REQUEST, Envelope
from fhe_estimators.deployment.serving import Limits, create_app
from fhe_estimators.deployment.serving._service import Service
from tests.deployment.serving.test_models import write


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Return a function that starts a server without workers, and sends requests."""
    monkeypatch.setattr(Service, "_compile", lambda self: None)

    def asked(*requests):
        app = create_app(tmp_path / "folder", limits=Limits(workers=1))

        async def act():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://a") as http:
                return [
                    await http.request(*request[:2], **request[2]) for request in requests
                ]

        try:
            return asyncio.run(act())
        finally:
            app.state.service.close()

    return asked


def test_old_versions_are_gone_and_said_to_be(tmp_path, ask):
    digests = []
    for row_bytes in (1000, 1001, 1002):
        digests.append(write(tmp_path / "folder", row_bytes=row_bytes))
        ask()
    path = "/v2/models/mine"
    requests = [("GET", f"{path}/versions/{digest}", {}) for digest in digests]
    requests += [("GET", f"{path}/versions/{digest}/client", {}) for digest in digests]
    old = Envelope(REQUEST, bytes.fromhex(digests[0]), b"k" * 32, b"r" * 16, 1, b"rows")
    requests.append(("POST", f"{path}/infer", {"content": old.to_bytes()}))
    found = ask(*requests, ("GET", path, {}))
    assert [response.status_code for response in found[:-1]] == [410, 200, 200] * 2 + [410]
    assert found[0].json()["kind"] == "VersionGoneError"
    assert found[-1].json()["versions"] == digests[:0:-1]
    old_client, new_client = (response.headers["ETag"] for response in found[4:6])
    assert old_client != new_client


@pytest.mark.fhe
def test_a_model_that_is_compiled_to_other_parameters_is_not_served(tmp_path, monkeypatch):
    """As with another version of the engine; an older version of a model is dropped."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    folder = tmp_path / "folder"
    old = write(folder, other_parameters=True)
    with pytest.raises(ConformanceError, match="with other parameters than clients have"):
        create_app(folder)
    new = write(folder)
    left = [
        folder / ".state" / place / ".new_left" for place in ("compiled", "models/mine")
    ]
    for path in left:
        path.mkdir()
    app = create_app(folder)
    models = app.state.service.models
    app.state.service.close()
    assert [version.digest for version in models.versions_of("mine")] == [new]
    assert models.is_gone("mine", old)
    # Nothing of the process that compiles is left behind.
    assert [*temporary.iterdir()] == []
    assert not any(path.exists() for path in left)
