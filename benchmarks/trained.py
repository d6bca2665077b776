"""Networks after training: accuracy and cost at equal bits, beside the peer."""

from __future__ import annotations

import base64
import io
import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.costs import P_ERROR
from benchmarks.float_nets import NETS, FloatNet, outputs
from benchmarks.float_nets import trained as trained_net
from benchmarks.report import Row, table
from benchmarks.tools import Setup, chosen, progress, ratio, seconds
from fhe_estimators.quantization import QuantizedModule
from fhe_estimators.torch import compile_torch_model

_BITS = (4, 6)
#: Divisions of the rows, each with a training of its own, where test rows are few.
_SEEDS = range(5)
#: Bits of encrypted rows, and gigaoperations from which a row is computed once only.
_ROW_BITS, _LONG = 6, 100


def trained(setup: Setup) -> list[Row]:
    """Scores and complexity of networks of 1 to 10 layers at the defaults, 4 and 6 bits."""
    return _each(lambda net: [row for bits in _BITS for row in _compared(setup, net, bits)])


def trained_splits(setup: Setup) -> list[Row]:
    """Mean scores over five divisions of the rows, beside the other side's."""
    return _each(lambda net: [_over_splits(setup, net, bits) for bits in _BITS])


def trained_rows(setup: Setup) -> list[Row]:
    """Seconds of an encrypted row of the same networks, at 6 bits."""
    return _each(lambda net: [_encrypted(setup, net)])


def _each(rows_of: Callable[[FloatNet], list[Row]]) -> list[Row]:
    """Return the rows of the networks that are chosen."""
    rows: list[Row] = []
    for net in chosen(NETS):
        rows += (found := rows_of(net))
        progress(table(found))
    return rows


def _compared(setup: Setup, net: FloatNet, bits: int) -> list[Row]:
    rows = net.rows
    everything = np.concatenate([rows.X_test, rows.X])
    exact = outputs(net, everything)

    def compared(side: str, found: np.ndarray, complexity: float, taken: float) -> Row:
        n_test = len(rows.X_test)
        return {
            "network": str(net),
            "bits": bits,
            "side": side,
            "float": rows.score(exact[:n_test]),
            "score": rows.score(found[:n_test]),
            # Of all rows: a score on a hundred test rows is off by points.
            "as float": rows.agreement(found, exact),
            "Gops a row": complexity / 1e9,
            "compile (s)": taken,
        }

    modules: list[QuantizedModule] = []
    taken = seconds(lambda: modules.append(_quantized(net, bits)))
    (module,) = modules
    ours = module.fhe_circuit.complexity
    here = compared("ours", module.forward(everything), ours, taken)
    answer = _ask_network(setup, net, everything, bits)
    if answer is None:
        return [here]
    found, complexity = np.array(answer["outputs"]), answer["complexity"]
    theirs = compared("peer", found, complexity, answer["seconds"])
    return [here, {**theirs, "ratio": complexity / ours}]


def _over_splits(setup: Setup, net: FloatNet, bits: int) -> Row:
    """Return means, and the difference of the scores with its standard error."""
    pairs = [_compared(setup, replace(net, seed=seed), bits) for seed in _SEEDS]
    sides = {str(rows[0]["side"]): rows for rows in zip(*pairs, strict=True)}

    means: Row = {"network": str(net), "bits": bits}
    means["float"] = np.mean([row["float"] for row in sides["ours"]])
    for column in ("score", "as float"):
        for side, rows in sides.items():
            means[f"{column}, {side}"] = np.mean([row[column] for row in rows])
    if "peer" in sides:
        differences = [here["score"] - there["score"] for here, there in pairs]
        means["difference"] = np.mean(differences)
        means["its error"] = np.std(differences, ddof=1) / len(pairs) ** 0.5
        means["ratio of Gops"] = statistics.geometric_mean(
            [row["ratio"] for row in sides["peer"]]
        )
    return means


def _encrypted(setup: Setup, net: FloatNet) -> Row:
    row = net.rows.X_test[:1]
    module = _quantized(net, _ROW_BITS)
    keys = seconds(module.fhe_circuit.keygen)
    # The first row also brings the keys into place.
    exact = np.array_equal(module.forward(row, fhe="execute"), module.forward(row))
    _ask_network(setup, net, row, _ROW_BITS)
    peer_keys = setup.ask("trained_network_keys", X=row)
    long = module.fhe_circuit.complexity > _LONG * 1e9
    ours, theirs = replace(setup, repeat=1 if long else setup.repeat).alternate(
        lambda: seconds(lambda: module.forward(row, fhe="execute")),
        lambda: setup.ask("execute_network", X=row),
    )
    return {
        "network": str(net),
        "encrypted = clear": exact,
        "keys (s)": keys,
        "peer's keys (s)": peer_keys,
        "row (s)": ours,
        "peer's row (s)": theirs,
        "ratio": ratio(ours, theirs),
    }


def _quantized(net: FloatNet, bits: int) -> QuantizedModule:
    X = net.rows.X
    return compile_torch_model(trained_net(net), X, n_bits=bits, p_error=P_ERROR)


def _ask_network(setup: Setup, net: FloatNet, X_test: np.ndarray, bits: int) -> Any:
    """Return the peer's outputs and costs, None without a peer."""
    return setup.ask(
        "trained_network",
        model=_as_text(net),
        X=net.rows.X,
        X_test=X_test,
        n_bits=bits,
        p_error=P_ERROR,
    )


def _as_text(net: FloatNet) -> str:
    """Return the network as an ONNX file in base64, which the peer reads, too."""
    file, example = io.BytesIO(), torch.from_numpy(net.rows.X[:2])
    axes: dict[str, Any] = {"x": {0: "n"}, "y": {0: "n"}}
    torch.onnx.export(
        trained_net(net),
        (example,),
        file,
        opset_version=14,
        dynamo=False,
        input_names=["x"],
        output_names=["y"],
        dynamic_axes=axes,
    )
    return base64.b64encode(file.getvalue()).decode()
