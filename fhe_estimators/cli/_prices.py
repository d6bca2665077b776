"""The option ``--calibrate``."""

from __future__ import annotations

import argparse


def add_calibrate(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--calibrate``."""
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="first measure what tables take on this machine, in about a minute; it is "
        "kept in your cache folder, and seconds are told from it from now on",
    )


def calibrate(options: argparse.Namespace) -> None:
    """Measure prices and keep them, if it was asked for."""
    if options.calibrate:
        from fhe_estimators.inspection import calibrate_prices

        calibrate_prices()
