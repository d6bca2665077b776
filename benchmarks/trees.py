"""What prediction with tree ensembles on encrypted rows costs, and whether it is exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from statistics import geometric_mean
from typing import Any

import fhe_estimators
from benchmarks import data
from benchmarks.costs import P_ERROR, Encrypted, costs, exactness
from benchmarks.ensembles import PEER_BITS, Case, cases, training_rows
from benchmarks.report import Row, at_least, at_most, table
from benchmarks.tools import Setup, against, progress
from fhe_estimators import CompilationError

#: Seconds that rounds of the peer may take. A row that takes longer is measured once.
_PATIENCE = 12
_N_ROWS = 200
#: A small model of each family.
_SMALL: dict[str, dict[str, Any]] = {
    "DecisionTreeClassifier": {"max_depth": 4},
    "RandomForestClassifier": {"n_estimators": 5, "max_depth": 3},
    "GradientBoostingClassifier": {"n_estimators": 10, "max_depth": 2},
    "HistGradientBoostingClassifier": {"max_iter": 10, "max_depth": 2},
    "IsolationForest": {"n_estimators": 5, "max_samples": 32},
    "XGBClassifier": {"n_estimators": 10, "max_depth": 2},
    "LGBMClassifier": {"n_estimators": 10, "max_depth": 2, "verbose": -1},
    "XGBRFClassifier": {"n_estimators": 5, "max_depth": 3},
    "CatBoostClassifier": {"iterations": 10, "depth": 2, "verbose": False},
    "ExplainableBoostingClassifier": {"interactions": 2, "outer_bags": 1},
}


def trees(setup: Setup) -> list[Row]:
    """One encrypted row, with bits of ours by default and several bits of the peer's.

    Ratios are those of what the server takes, and of the whole; sides take turns where that
    does not take too long. Boosting is XGBoost on the other side.
    """
    rows: list[Row] = []
    selected = cases()
    for number, case in enumerate(selected, 1):
        progress(f"\n{number} of {len(selected)}: {case}")
        found = _compared(setup, case)
        progress(table(found))
        rows += found
    return [*rows, *_summary(rows)]


def _compared(setup: Setup, case: Case) -> list[Row]:
    X, y = training_rows(case)
    about = {"data": case.data, "model": case.model}
    try:
        ours = Encrypted(case.ours(), X, y)
    except CompilationError as error:
        return [{**about, "side": "ours", "note": _last_line(error)}]
    rows: list[Row] = []
    if setup.peer is None:
        (taken,) = setup.alternate(ours.one_row)
        return [costs({**about, "side": "ours"}, ours.facts, taken)]
    for n_bits in PEER_BITS:
        there: Row = {**about, "side": f"peer, {n_bits} bits"}
        try:
            facts = setup.ask(
                "prepare_trees",
                X=X,
                y=y,
                name=case.peer_name,
                parameters=case.peer_parameters,
                n_bits=n_bits,
                p_error=P_ERROR,
            )
            taken, theirs = _in_turns(setup, ours.one_row, partial(setup.ask, "one_row"))
        except RuntimeError as error:
            rows.append({**there, "note": _last_line(error)})
            continue
        here = costs({**about, "side": f"ours, beside {n_bits} bits"}, ours.facts, taken)
        rows += [here, costs(there, facts, theirs, taken)]
    return rows


def _in_turns(
    setup: Setup, ours: Callable[[], Any], theirs: Callable[[], Any]
) -> tuple[Any, Any]:
    """Alternate as often as there is time for."""
    first = theirs()
    rounds = min(setup.repeat, int(_PATIENCE / first["total"]))
    if not rounds:
        # Its first row also brings the keys into place, which does not show in so long.
        return ours(), first
    here, there = replace(setup, repeat=rounds).alternate(ours, theirs)
    return here, there


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1][:100]


def _summary(rows: list[Row]) -> list[Row]:
    """Return geometric means and extremes over all cases, and whether they meet goals."""
    judged: list[Row] = []
    measured = [row for row in rows if "note" not in row]
    server, whole = "ratio", "total ratio"
    for n_bits in PEER_BITS:
        side = f"peer, {n_bits} bits"
        peers = [row for row in measured if row["side"] == side]
        many = [row for row in peers if Case(row["data"], row["model"]).multiclass]
        others = [row for row in peers if row not in many]
        for what, found, column, combined, bound in (
            ("all, geometric mean", peers, server, geometric_mean, 20),
            ("two classes or a number, worst", others, server, min, 8),
            ("many classes, worst", many, server, min, 5),
            ("all, geometric mean", peers, whole, geometric_mean, 10),
            ("all, worst", peers, whole, min, None),
        ):
            if found:
                value = combined(row[column] for row in found)
                goal = bound and at_least(bound, value, "x")
                judged.append({"over": what, "side": side, column: value, "goal": goal})
    ours = [row for row in measured if row["side"].startswith("ours")]
    for column, bound in (
        ("keys (MB)", 26),
        ("keygen (s)", 2),
        ("compile (s)", 3),
    ):
        if ours:
            value = max(row[column] for row in ours)
            goal = at_most(bound, value)
            judged.append({"over": "most", "side": "ours", column: value, "goal": goal})
    return judged


def stumps(setup: Setup) -> list[Row]:
    """A hundred boosted stumps, sums of functions of one feature: no table is needed."""
    case = Case("breast_cancer", "boosting 100x1")
    ours = Encrypted(case.ours(), *training_rows(case))
    (taken,) = setup.alternate(ours.one_row)
    tables, whole = ours.facts["tables"], taken["total"]
    return [
        {**against(what, unit, value), "goal": goal}
        for what, unit, value, goal in (
            ("tables", "", tables, at_most(0, tables)),
            ("server", "s", taken["operate"], None),
            ("end to end", "s", whole, at_most(0.15, whole, " s")),
            ("sent", "bytes", int(taken["up"]), None),
            ("received", "bytes", int(taken["down"]), None),
            ("evaluation keys", "bytes", ours.facts["keys"], None),
            ("key generation", "s", ours.facts["keygen"], None),
            ("compile", "s", ours.facts["compile"], None),
        )
    ]


def tree_exactness(setup: Setup) -> list[Row]:
    """Encrypted rows of each family whose results are the integers computed in clear."""
    rows = []
    for name, parameters in _SMALL.items():
        shown = " ".join(f"{key}={value}" for key, value in parameters.items())
        row = {"model": name, "parameters": shown, **_equal_rows(name, parameters)}
        progress(table([row]))
        rows.append(row)
    return rows


def _equal_rows(name: str, parameters: dict[str, Any]) -> Row:
    X, y = data.breast_cancer()
    try:
        estimator = getattr(fhe_estimators, name)
    except ImportError as error:
        return {"note": _last_line(error)}
    model = estimator(p_error=P_ERROR, random_state=0, **parameters).fit(X, y)
    model.compile().keygen()
    row = exactness(model.quantized_module, X[:_N_ROWS])
    return {**row, "goal": at_least(_N_ROWS, row["equal"])}
