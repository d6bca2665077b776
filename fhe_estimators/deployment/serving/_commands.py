"""The commands ``serve``, ``keygen`` and ``predict``."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fhe_estimators.deployment._client import Client
from fhe_estimators.deployment.errors import DeploymentError
from fhe_estimators.deployment.serving._limits import Limits

_TOKENS, _TOKEN = "FHE_ESTIMATORS_TOKENS", "FHE_ESTIMATORS_TOKEN"
_KEYS = "~/.fhe_estimators"


def add_commands(commands: Any) -> None:
    """Add the commands to those of a command line.

    Parameters
    ----------
    commands : object
        What `argparse.ArgumentParser.add_subparsers` returns.
    """
    _add_serve(commands.add_parser("serve", help="answer encrypted requests over HTTP"))
    keygen = commands.add_parser("keygen", help="make the keys of a client")
    keygen.add_argument("client", help="client.zip")
    _add_keys(keygen)
    keygen.set_defaults(run=_keygen)
    _add_predict(
        commands.add_parser("predict", help="predict rows through a server, encrypted")
    )


def _add_serve(serve: argparse.ArgumentParser) -> None:
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


def _add_keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keys", default=_KEYS, help="folder for keys (default: %(default)s)"
    )
    parser.add_argument("--passphrase", help="file with what seals the secret keys")


def _add_predict(predict: argparse.ArgumentParser) -> None:
    predict.add_argument("rows", help="file: .csv with a line of names or without, or .npy")
    predict.add_argument("--url", required=True, help="of the server")
    what = predict.add_mutually_exclusive_group(required=True)
    what.add_argument("--client", help="client.zip")
    what.add_argument("--model", help="its name: the server is asked for client.zip")
    predict.add_argument(
        "--method",
        default="predict",
        choices=["predict", "predict_proba", "decision_function"],
        help="(default: %(default)s)",
    )
    predict.add_argument(
        "--token", help=f"file with a token; or the environment variable {_TOKEN}"
    )
    predict.add_argument(
        "--ca-file", help="certificates to trust, in place of public authorities"
    )
    predict.add_argument("--output", help="file for results (default: standard output)")
    predict.add_argument("--quiet", action="store_true", help="show no progress bar")
    _add_keys(predict)
    predict.set_defaults(run=_predict)


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

    try:
        tokens = _tokens(options.tokens)
        _run.check_exposure(
            options.host, bool(tokens), options.certificate, options.insecure
        )
        limits = Limits(**{name: getattr(options, name) for name in asdict(Limits())})
        _run.log_to_stderr()
        app = (ray_app if options.ray else create_app)(
            options.folder,
            state=options.state,
            tokens=tokens,
            limits=limits,
            metrics_port=options.metrics_port,
        )
    except (DeploymentError, ImportError, OSError, ValueError) as error:
        raise SystemExit(f"ERROR: {error}") from error
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
        raise SystemExit(
            f"ERROR: {', '.join(missing)} of the extra 'serve' is not installed: pip "
            "install 'fhe-estimators[serve]'"
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
    try:
        client = _client(options.client, options)
        key_id = client.key_id
    except (DeploymentError, OSError) as error:
        raise SystemExit(f"ERROR: {error}") from error
    print(f"{key_id}\n{len(client.evaluation_keys)} bytes of evaluation keys")
    return 0


def _predict(options: argparse.Namespace) -> int:
    _check_installed("httpx")
    from fhe_estimators.deployment.serving._remote import RemoteModel, fetch_client

    try:
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
        client.check_has(options.method)
        rows = _rows(Path(options.rows), client.feature_names)
        model = RemoteModel(
            options.url,
            client,
            token,
            ca_file=options.ca_file,
            progress=not options.quiet,
        )
        results = getattr(model, options.method)(rows)
    except (AttributeError, DeploymentError, OSError, TypeError, ValueError) as error:
        raise SystemExit(f"ERROR: {error}") from error
    _write(results, options.output)
    return 0


def _rows(path: Path, names: np.ndarray | None) -> Any:
    """Return the rows in a file, as a model takes them that was fitted on named columns."""
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)
    if names is None:
        with path.open(encoding="utf-8") as file:
            first = file.readline().strip().split(",")
        n_names = int(not _are_numbers(first))
        return np.loadtxt(path, delimiter=",", ndmin=2, skiprows=n_names)
    import pandas as pd

    return pd.read_csv(path)


def _are_numbers(texts: list[str]) -> bool:
    try:
        [float(text) for text in texts]
    except ValueError:
        return False
    return True


def _write(results: Any, output: str | None) -> None:
    if output is not None and output.endswith(".npy"):
        np.save(output, np.asarray(results), allow_pickle=False)
        return
    array = np.asarray(results)
    lines = [",".join(map(str, np.atleast_1d(row).ravel().tolist())) for row in array]
    text = "\n".join(lines) + "\n"
    if output is None:
        sys.stdout.write(text)
    else:
        Path(output).write_text(text, "utf-8")
