"""The commands ``export`` and ``inspect``."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fhe_estimators.cli._files import MODEL, load_model
from fhe_estimators.cli._output import add_json, print_json


def add_export(commands: Any) -> None:
    """Add the command ``export``."""
    parser = commands.add_parser(
        "export", help="write the files of a client and of a server"
    )
    parser.add_argument("model", help=MODEL)
    parser.add_argument("folder", help="where client.zip and server.zip are written")
    parser.add_argument("--name", help="of the deployment (default: the class)")
    parser.add_argument(
        "--results-shared",
        action="store_true",
        help="clients may show results to others; needs p_error <= 2**-128",
    )
    parser.add_argument(
        "--key-family", help="client.zip of a deployment whose keys serve for this one, too"
    )
    add_json(parser)
    parser.set_defaults(run=_export)


def add_inspect(commands: Any) -> None:
    """Add the command ``inspect``."""
    parser = commands.add_parser(
        "inspect", help="print what is in client.zip or server.zip"
    )
    parser.add_argument("file")
    add_json(parser)
    parser.set_defaults(run=lambda options: _inspect(options.file, options.json))


def _export(options: argparse.Namespace) -> int:
    from fhe_estimators.deployment import save_deployment

    save_deployment(
        load_model(options.model),
        options.folder,
        name=options.name,
        results_shared=options.results_shared,
        key_family=options.key_family,
    )
    return _inspect(Path(options.folder) / "client.zip", options.json)


def _inspect(path: str | Path, as_json: bool) -> int:
    from fhe_estimators.deployment import describe
    from fhe_estimators.deployment._bundle import Bundle

    if as_json:
        print_json(asdict(Bundle.load(path).manifest))
    else:
        print(describe(path))
    return 0
