"""The command line: ``fhe-estimators``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from fhe_estimators.cli._demo import add_demo
from fhe_estimators.cli._deploy import add_export, add_inspect
from fhe_estimators.cli._models import add_card, add_convert, add_cost, add_predict
from fhe_estimators.cli._output import add_json, print_facts
from fhe_estimators.cli._pareto import add_pareto
from fhe_estimators.deployment import DeploymentError
from fhe_estimators.deployment.serving._commands import add_keygen, add_serve
from fhe_estimators.exceptions import CompilationError
from fhe_estimators.inspection._versions import versions

__all__ = ["main"]

#: What is told in a line: wrong arguments, files and models, and what is not installed.
_TOLD = (
    CompilationError,
    DeploymentError,
    ImportError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
)
_TRUST = (
    "Files of models, as joblib.dump writes them, are pickles: loading one can run any "
    "code. Load only files that you trust. Those of a deployment hold no code."
)


def _add_version(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("version", help="print versions")
    add_json(parser)

    def run(options: argparse.Namespace) -> int:
        print_facts(versions(), options.json, "{} {}")
        return 0

    parser.set_defaults(run=run)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(
        prog="fhe-estimators",
        description="scikit-learn estimators that predict on encrypted data",
        epilog=_TRUST,
    )
    if find_spec("shtab"):
        import shtab

        shtab.add_argument_to(found, ["--print-completion"])
    commands = found.add_subparsers(dest="command", required=True)
    for add in (
        add_demo,
        add_cost,
        add_card,
        add_pareto,
        add_convert,
        add_predict,
        add_export,
        add_inspect,
        add_serve,
        add_keygen,
        _add_version,
    ):
        add(commands)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        ``sys.argv[1:]`` by default.

    Returns
    -------
    status : int
        0 if all is well, 2 if arguments, files or models are wrong, as a line says.
    """
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except _TOLD as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 2
    return status
