"""Who may reach a server, and what it logs."""

import json
import logging
import sys

import pytest

from fhe_estimators.deployment import DeploymentError
from fhe_estimators.deployment.serving._run import JsonLines, check_exposure


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_nothing(host):
    check_exposure(host, False, None, False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.org"])
@pytest.mark.parametrize(
    ("has_tokens", "certificate", "missing"),
    [
        (False, None, "no tokens and no TLS"),
        (True, None, "no TLS"),
        (False, "cert.pem", "no tokens"),
    ],
)
def test_others_need_tokens_and_tls(host, has_tokens, certificate, missing):
    with pytest.raises(DeploymentError, match=f"there is {missing}: give"):
        check_exposure(host, has_tokens, certificate, False)
    check_exposure(host, has_tokens, certificate, True)
    check_exposure(host, True, "cert.pem", False)


def test_logs_are_lines_of_json():
    try:
        raise ValueError("a\nb")
    except ValueError:
        error = sys.exc_info()
    record = logging.LogRecord("name", logging.INFO, "file", 1, "say %s", ("hi\n",), error)
    record.fields = {"status": 200}
    line = JsonLines().format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert (found["message"], found["level"], found["status"]) == ("say hi\n", "info", 200)
    assert "ValueError: a" in found["error"]
