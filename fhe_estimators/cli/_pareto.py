"""The command ``pareto``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from fhe_estimators._reports import Report
from fhe_estimators.cli._files import TABLE, save_model, split_table
from fhe_estimators.cli._output import add_json, print_json
from fhe_estimators.cli._prices import add_calibrate, calibrate

#: The costs that have a limit, and the type of each.
_LIMITS = {
    "seconds": float,
    "tables": int,
    "upload_bytes": int,
    "download_bytes": int,
    "key_bytes": int,
}


class Front(Report[dict[str, Any]]):
    """The candidates that no other one beats in score and seconds; prints as a table."""

    __slots__ = ()

    _index = "model"

    @classmethod
    def of(cls, search: Any) -> Front:
        """Return the front of a fitted `ParetoSearchCV`."""
        return cls(candidate(search, place) for place in search.pareto_front_)

    def _cells(self) -> list[list[str]]:
        rows = [
            [f"{of['score']:.4f}", f"{of['seconds']:.2g}", str(of["tables"]), of["model"]]
            for of in self
        ]
        return [["score", "seconds", "tables", "model"], *rows]


def candidate(search: Any, place: int) -> dict[str, Any]:
    """Return the mean score and costs of a candidate, and what it is."""
    results: Mapping[str, Any] = search.cv_results_
    params = dict(results["params"][place])
    model = params.pop("model")
    text = " ".join(repr(model).split())
    changed = ", ".join(
        f"{name.removeprefix('model__')}={value}" for name, value in params.items()
    )
    means = {
        name: float(results[f"mean_test_{name}"][place]) for name in ("score", *_LIMITS)
    }
    counts = {name: round(means[name]) for name, kind in _LIMITS.items() if kind is int}
    return {"model": f"{text}: {changed}", **means, **counts}


def add_pareto(commands: Any) -> None:
    """Add the command ``pareto``."""
    parser = commands.add_parser(
        "pareto", help="search for models that are right and cheap on encrypted rows"
    )
    parser.add_argument("data", help=f"{TABLE}; all of them hold numbers but the target")
    parser.add_argument("--target", required=True, help="column that is to be predicted")
    parser.add_argument(
        "--task",
        choices=["classification", "regression"],
        help="what to predict: labels or numbers (default: as the target looks)",
    )
    parser.add_argument("--scoring", help="a name of scikit-learn's scorers")
    parser.add_argument("--cv", type=int, default=5, help="folds (default: %(default)s)")
    parser.add_argument(
        "--random-state", type=int, default=0, help="(default: %(default)s)"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, help="processes (default: %(default)s)"
    )
    limits = parser.add_argument_group("limits", "of an encrypted row, for the best model")
    for name, kind in _LIMITS.items():
        limits.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar="MOST")
    parser.add_argument("-o", "--output", help="file for the best model, fitted: joblib")
    add_calibrate(parser)
    add_json(parser)
    parser.set_defaults(run=_pareto)


def _pareto(options: argparse.Namespace) -> int:
    from fhe_estimators.model_selection import (
        ParetoSearchCV,
        best_within,
        cheap_candidates,
    )

    X, y = split_table(options.data, options.target)
    calibrate(options)
    limits = {name: getattr(options, name) for name in _LIMITS}
    limited = any(limit is not None for limit in limits.values())
    search = ParetoSearchCV(
        cheap_candidates(X, y, task=options.task, random_state=options.random_state),
        scoring=options.scoring,
        cv=options.cv,
        n_jobs=options.jobs,
        refit=best_within(**limits) if limited else True,
    ).fit(_numbers(X, options.data), y)
    front, best = Front.of(search), candidate(search, search.best_index_)
    if options.json:
        n_candidates = len(search.cv_results_["params"])
        print_json({"candidates": n_candidates, "front": list(front), "best": best})
    else:
        print(f"{front}\n\nbest: {best['model']}")
    if options.output is not None:
        save_model(search.best_estimator_, options.output)
    return 0


def _numbers(X: Any, path: str) -> Any:
    """Return the columns, if all of them hold numbers.

    Raises
    ------
    ValueError
        If some do not.
    """
    others = [
        str(name) for name in X.columns if X[name].to_numpy().dtype.kind not in "biuf"
    ]
    if others:
        raise ValueError(
            f"Columns of {path} do not hold numbers: {', '.join(others)}. Encode them "
            "(OneHotEncoder of scikit-learn), or search with ParetoSearchCV over pipelines "
            "that do."
        )
    return X
