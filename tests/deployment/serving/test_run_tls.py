"""A server with TLS, and what lies on its disk."""

import datetime
import ipaddress
import ssl

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fhe_estimators.deployment import Client, DeploymentError, RemoteModel
from fhe_estimators.deployment.serving import fetch_client
from tests.deployment.serving.served import ANN, Served

pytestmark = [pytest.mark.fhe, pytest.mark.slow]


def certificate(folder):
    """Write a certificate for 127.0.0.1 and its key; return both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    found = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(found.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


def test_tls_and_no_secret_on_the_server(deployed, tmp_path):
    cert, key = certificate(tmp_path)
    state = tmp_path / "state"
    options = ("--certificate", cert, "--key", key, "--state", str(state))
    log = tmp_path / "log"
    with Served.started(deployed.folder, *options, "--workers", "1", log=log) as served:
        assert served.url.startswith("https://127.0.0.1:")
        path = tmp_path / "client.zip"
        with pytest.raises(DeploymentError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch_client(served.url, "tree", path, ANN, retries=0)
        fetch_client(served.url, "tree", path, ANN, ca_file=cert)
        client = Client(path, keys=tmp_path / "keys")
        remote = RemoteModel(served.url, client, ANN, ca_file=cert)
        found = remote.predict(deployed.X[:4])
        assert np.array_equal(found, deployed.tree.predict(deployed.X[:4]))
        with pytest.raises((ssl.SSLError, ConnectionError, TimeoutError, AssertionError)):
            assert b"200" in served.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", seconds=2)
    (secret,) = (tmp_path / "keys").glob("*.secret")
    words = np.frombuffer(secret.read_bytes()[72:-32], "<u8")
    assert (words <= 1).all()
    pieces = [
        words[start : start + 16].tobytes() for start in range(0, len(words) - 16, 97)
    ]
    written = [file for file in state.rglob("*") if file.is_file()] + [log]
    assert any(file.stat().st_size == client.manifest.key_bytes for file in written)
    for file in written:
        content = file.read_bytes()
        assert not any(piece in content for piece in pieces if any(piece)), file
        assert ANN.encode() not in content
