"""The commands ``serve`` and ``keygen``, and ``predict`` through a server."""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fhe_estimators.deployment._client import Client
from fhe_estimators.deployment.serving._files import read_rows, write_results
from fhe_estimators.deployment.serving._limits import Limits

_TOKENS, _TOKEN = "FHE_ESTIMATORS_TOKENS", "FHE_ESTIMATORS_TOKEN"
_KEYS = "~/.fhe_estimators"


def add_keygen(commands: Any) -> None:
    """Add the command ``keygen``."""
    keygen = commands.add_parser("keygen", help="make the keys of a client")
    keygen.add_argument("client", help="client.zip")
    _add_keys(keygen)
    keygen.set_defaults(run=_keygen)


def add_serve(commands: Any) -> None:
    """Add the command ``serve``."""
    serve = commands.add_parser("serve", help="answer encrypted requests over HTTP")
    serve.add_argument(
        "folder",
        help="of deployments, as 'export' writes them; 'demo' trains and exports two",
    )
    serve.add_argument("--host", default="127.0.0.1", help="(default: %(default)s)")
    serve.add_argument("--port", type=int, default=8000, help="(default: %(default)s)")
    serve.add_argument("--metrics-port", type=int, help="of 127.0.0.1, for Prometheus")
    serve.add_argument("--state", help="folder for keys (default: .state in FOLDER)")
    serve.add_argument(
        "--tokens",
        help="file of tokens, one a line, for each tenant one; or the environment "
        f"variable {_TOKENS}",
    )
    serve.add_argument("--certificate", help="file of a certificate, for TLS")
    serve.add_argument("--key", help="file of its key")
    serve.add_argument(
        "--insecure",
        action="store_true",
        help="serve others without tokens, or without TLS, as behind a proxy that has both",
    )
    serve.add_argument(
        "--ray",
        action="store_true",
        help="compute on replicas of Ray Serve, as many as --workers, on the cluster of "
        "RAY_ADDRESS or on one that is started here",
    )
    serve.add_argument(
        "--round-trip",
        action="store_true",
        help="of the demo: predict from this process through a server in another, and end",
    )
    limits = serve.add_argument_group("limits", "see fhe_estimators.deployment.Limits")
    for name, default in asdict(Limits()).items():
        limits.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(default),
            default=default,
            help="(default: %(default)s)",
        )
    serve.set_defaults(run=_serve)


def _add_keys(parser: Any) -> None:
    parser.add_argument(
        "--keys", default=_KEYS, help="folder for keys (default: %(default)s)"
    )
    parser.add_argument("--passphrase", help="file with what seals the secret keys")


def add_remote(parser: argparse.ArgumentParser) -> None:
    """Add what `predict_remotely` takes, but for rows, method, output and quiet."""
    remote = parser.add_argument_group("through a server")
    remote.add_argument("--url", help="of the server")
    remote.add_argument("--client", help="client.zip")
    remote.add_argument("--model", help="its name: the server is asked for client.zip")
    remote.add_argument(
        "--token", help=f"file with a token; or the environment variable {_TOKEN}"
    )
    remote.add_argument(
        "--ca-file", help="certificates to trust, in place of public authorities"
    )
    _add_keys(remote)


def _serve(options: argparse.Namespace) -> int:
    _check_installed("httpx", "prometheus_client", "starlette", "uvicorn")
    from fhe_estimators.deployment.serving import _demo

    if options.folder != "demo":
        return _serve_folder(options)
    with tempfile.TemporaryDirectory(prefix="fhe_estimators_demo_") as folder:
        if options.round_trip:
            return _demo.round_trip(Path(folder))
        _demo.export(Path(folder))
        options.folder = folder
        return _serve_folder(options)


def _serve_folder(options: argparse.Namespace) -> int:
    from fhe_estimators.deployment.serving import _demo, _run, create_app, ray_app

    tokens = _tokens(options.tokens)
    _run.check_exposure(options.host, bool(tokens), options.certificate, options.insecure)
    limits = Limits(**{name: getattr(options, name) for name in asdict(Limits())})
    _run.log_to_stderr()
    app = (ray_app if options.ray else create_app)(
        options.folder,
        state=options.state,
        tokens=tokens,
        limits=limits,
        metrics_port=options.metrics_port,
    )
    names = app.state.service.models.names
    example = _demo.rows_of(Path(options.folder))

    def told(url: str) -> None:
        lines = [
            f"Serving {', '.join(names)} at {url}",
            *(
                f"  fhe-estimators predict --url {url} --model {name} {example}"
                for name in names
            ),
        ]
        print("\n".join(lines), flush=True)

    _run.run(
        app,
        options.host,
        options.port,
        limits,
        certificate=options.certificate,
        key=options.key,
        told=told,
    )
    return 0


def _check_installed(*packages: str) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise ModuleNotFoundError(
            f"{', '.join(missing)} of the extra 'serve' is not installed: pip install "
            "'fhe-estimators[serve]'"
        )


def _tokens(path: str | None) -> list[str]:
    text = os.environ.get(_TOKENS, "") if path is None else Path(path).read_text("utf-8")
    tokens = text.split()
    if path is not None and not tokens:
        raise ValueError(f"{path} holds no token.")
    return tokens


def _secret(path: str | None, variable: str | None = None) -> str | None:
    if path is not None:
        return Path(path).read_text("utf-8").strip()
    return os.environ.get(variable) if variable else None


def _client(path: Path | str, options: argparse.Namespace) -> Client:
    keys = Path(options.keys).expanduser()
    return Client(path, keys=keys, passphrase=_secret(options.passphrase))


def _keygen(options: argparse.Namespace) -> int:
    client = _client(options.client, options)
    print(f"{client.key_id}\n{len(client.evaluation_keys)} bytes of evaluation keys")
    return 0


def predict_remotely(options: argparse.Namespace, rows_path: str) -> int:
    """Predict the rows in a file through a server, and write the results."""
    _check_installed("httpx")
    from fhe_estimators.deployment.serving._remote import RemoteModel, fetch_client

    token = _secret(options.token, _TOKEN)
    path = options.client
    if path is None:
        folder = Path(options.keys).expanduser()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The same name at another server is another model.
        name = hashlib.sha256(f"{options.url} {options.model}".encode()).hexdigest()
        path = fetch_client(
            options.url,
            options.model,
            folder / f"{name[:16]}.client.zip",
            token,
            ca_file=options.ca_file,
        )
    client = _client(path, options)
    try:
        client.check_has(options.method)
    except AttributeError as error:
        raise ValueError(str(error)) from error
    rows = read_rows(Path(rows_path), client.feature_names)
    model = RemoteModel(
        options.url, client, token, ca_file=options.ca_file, progress=not options.quiet
    )
    write_results(getattr(model, options.method)(rows), options.output)
    return 0
