"""How commands print figures: for people, or as JSON."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from typing import Any


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def print_json(document: Any) -> None:
    """Print a document; what is not a number becomes null."""
    print(json.dumps(_finite(document), indent=2, allow_nan=False, ensure_ascii=False))


def print_facts(facts: Mapping[str, str], as_json: bool, line: str) -> None:
    """Print facts as JSON, or a line each, a format of name and value."""
    if as_json:
        print_json(dict(facts))
    else:
        print("\n".join(line.format(*fact) for fact in facts.items()))


def _finite(document: Any) -> Any:
    """Return a document whose numbers are those of JSON."""
    if isinstance(document, Mapping):
        return {str(key): _finite(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [_finite(value) for value in document]
    if isinstance(document, float) and not math.isfinite(document):
        return None
    return document
