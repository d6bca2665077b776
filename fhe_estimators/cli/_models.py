"""The commands ``cost``, ``card``, ``convert`` and ``predict``."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from fhe_estimators._config import FHE_MODES, config_context
from fhe_estimators.cli._files import MODEL, ROWS, load_model, rows_for, save_model
from fhe_estimators.cli._output import add_json, print_json
from fhe_estimators.cli._prices import add_calibrate, calibrate
from fhe_estimators.deployment.serving._commands import add_remote, predict_remotely
from fhe_estimators.deployment.serving._files import write_results

_TARGET = "column of DATA that is to be predicted"


def add_cost(commands: Any) -> None:
    """Add the command ``cost``."""
    parser = commands.add_parser(
        "cost", help="print what an encrypted row costs; makes no keys"
    )
    parser.add_argument("model", help=MODEL)
    add_calibrate(parser)
    add_json(parser)
    parser.set_defaults(run=_cost)


def _cost(options: argparse.Namespace) -> int:
    calibrate(options)
    _print_cost(load_model(options.model), options.json)
    return 0


def _print_cost(model: Any, as_json: bool) -> None:
    from fhe_estimators.inspection import cost

    report = cost(model)
    if as_json:
        print_json({"model": type(model).__name__, **asdict(report)})
    else:
        print(report)


def add_card(commands: Any) -> None:
    """Add the command ``card``."""
    parser = commands.add_parser(
        "card", help="write a page on a model: cost, accuracy, bits, what each side learns"
    )
    parser.add_argument("model", help=MODEL)
    parser.add_argument("data", help=f"rows to predict: {ROWS}")
    parser.add_argument("--target", help=_TARGET)
    parser.add_argument("--name", help="of the model (default: its class)")
    parser.add_argument(
        "--reference", help=f"to compare with, instead of itself in floating point: {MODEL}"
    )
    parser.add_argument(
        "--no-simulate", action="store_true", help="do not simulate the cryptography"
    )
    parser.add_argument(
        "--encrypted",
        type=int,
        default=0,
        metavar="N",
        help="predict the first N rows encrypted (default: %(default)s)",
    )
    parser.add_argument(
        "--results-shared",
        action="store_true",
        help="clients may show results to others; needs p_error <= 2**-128",
    )
    parser.add_argument("-o", "--output", required=True, help="file of HTML")
    parser.add_argument("--quiet", action="store_true", help="show no progress bars")
    add_json(parser)
    parser.set_defaults(run=_card)


def _card(options: argparse.Namespace) -> int:
    from fhe_estimators.inspection import model_card

    model = load_model(options.model)
    X, y = rows_for(model, options.data, options.target)
    reference = "parent" if options.reference is None else load_model(options.reference)
    with config_context(progress=not options.quiet):
        card = model_card(
            model,
            X,
            y,
            options.output,
            name=options.name,
            reference=reference,
            simulate=not options.no_simulate,
            n_encrypted=options.encrypted,
            results_shared=options.results_shared,
        )
    if options.json:
        print_json(card.to_dict())
    else:
        print(f"{card.comparisons}\n\n{card.cost}")
    return 0


def add_convert(commands: Any) -> None:
    """Add the command ``convert``."""
    parser = commands.add_parser(
        "convert", help="write the encrypted twin of a model that is fitted already"
    )
    parser.add_argument("model", help=f"of scikit-learn, for example: {MODEL}")
    parser.add_argument(
        "data",
        nargs="?",
        help=f"rows like those that it was fitted on, trees do without: {ROWS}",
    )
    parser.add_argument("--target", help="column of DATA that is no feature")
    parser.add_argument("--n-bits", type=int, help="of inputs and weights")
    parser.add_argument(
        "--p-error", type=_probability, help="such as 2**-40 (default: 2**-64)"
    )
    parser.add_argument("-o", "--output", required=True, help="file for joblib")
    add_json(parser)
    parser.set_defaults(run=_convert)


def _probability(text: str) -> float:
    """Return a number that is written as such, or as a power of two."""
    _, power, exponent = text.partition("2**")
    return 2.0 ** float(exponent) if power else float(text)


def _convert(options: argparse.Namespace) -> int:
    from fhe_estimators.conversion import convert

    fitted = load_model(options.model)
    X = None
    if options.data is not None:
        X, _ = rows_for(fitted, options.data, options.target)
    twin = convert(fitted, X, n_bits=options.n_bits, p_error=options.p_error)
    _print_cost(twin, options.json)
    save_model(twin, options.output)
    return 0


def add_predict(commands: Any) -> None:
    """Add the command ``predict``, here or through a server."""
    parser = commands.add_parser(
        "predict",
        help="predict rows here, in clear, simulated or encrypted, or through a server",
        usage="%(prog)s [options] MODEL ROWS\n"
        "       %(prog)s [options] --url URL (--client FILE | --model NAME) ROWS",
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help=f"MODEL, without --url: {MODEL}; and ROWS: {ROWS}",
    )
    parser.add_argument(
        "--fhe", choices=FHE_MODES, help="how to compute here (default: disable)"
    )
    parser.add_argument(
        "--method",
        default="predict",
        choices=["predict", "predict_proba", "decision_function"],
        help="(default: %(default)s)",
    )
    parser.add_argument(
        "-o", "--output", help="file for results, .npy or text (default: standard output)"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")
    add_remote(parser)

    def run(options: argparse.Namespace) -> int:
        if options.url is None:
            given = [f"--{name}" for name in ("client", "model") if getattr(options, name)]
            if given or len(options.files) != 2:
                parser.error("give MODEL and ROWS, or --url and ROWS")
            return _predict(options)
        if len(options.files) != 1 or options.fhe is not None:
            parser.error("with --url give ROWS only: the server computes encrypted")
        if (options.client is None) == (options.model is None):
            parser.error("with --url give --client or --model")
        return predict_remotely(options, options.files[0])

    parser.set_defaults(run=run)


def _predict(options: argparse.Namespace) -> int:
    from fhe_estimators.inspection._models import predictor

    path, rows = options.files
    model = load_model(path)
    predictor(model)  # others would compute in clear, whatever they are asked for
    method = getattr(model, options.method, None)
    if method is None:
        raise ValueError(f"{type(model).__name__} has no {options.method}.")
    X, _ = rows_for(model, rows)
    with config_context(fhe=options.fhe or FHE_MODES[0], progress=not options.quiet):
        results = method(X)
    write_results(results, options.output)
    return 0
