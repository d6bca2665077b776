"""What a server counts."""

import re

import httpx
import pytest

from fhe_estimators.deployment import Client
from fhe_estimators.deployment.serving._metrics import Metrics
from tests.deployment.serving.served import ANN, infer, send_keys


def test_requests_and_rows_are_counted():
    metrics = Metrics()
    metrics.request("/a", 200, 0.1)
    metrics.rows("mine", 3)
    metrics.gauge("fhe_some", "Some", lambda: 7)
    value = metrics.registry.get_sample_value
    assert value("fhe_requests_total", {"route": "/a", "status": "200"}) == 1
    assert value("fhe_request_seconds_count", {"route": "/a"}) == 1
    assert value("fhe_rows_total", {"model": "mine"}) == 3
    assert value("fhe_some") == 7
    metrics.close()


@pytest.mark.fhe
def test_numbers_are_on_a_local_port_and_tell_no_secrets(served, deployed):
    client = Client(deployed.folder / "tree" / "client.zip")
    with served.http() as http:
        send_keys(http, client)
        infer(http, "tree", client.encrypt(deployed.X[:2]))
        assert http.get("/metrics").status_code == 404
    text = httpx.get(
        f"http://127.0.0.1:{served.metrics_port}/metrics", trust_env=False
    ).text
    rows = float(re.search(r'\nfhe_rows_total\{model="tree"\} (\S+)', text)[1])
    assert rows >= 2
    assert "fhe_workers 2.0" in text
    assert float(re.search(r"\nfhe_key_bytes (\S+)", text)[1]) >= client.manifest.key_bytes
    route = "/v2/models/{model}/infer"
    assert f'fhe_requests_total{{route="{route}",status="200"}}' in text
    for secret in (ANN, client.key_id):
        assert secret not in text
