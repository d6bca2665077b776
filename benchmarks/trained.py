"""Networks after training: accuracy and cost at equal bits, beside the peer."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.costs import P_ERROR
from benchmarks.float_nets import NETS, FloatNet, outputs, split
from benchmarks.float_nets import trained as trained_net
from benchmarks.report import Row, table
from benchmarks.tools import Setup, progress, ratio, seconds
from fhe_estimators.quantization import QuantizedModule
from fhe_estimators.torch import compile_torch_model

_BITS = (4, 6)
#: Bits of encrypted rows, and gigaoperations from which a row is computed once only.
_ROW_BITS, _LONG = 6, 600


def trained(setup: Setup) -> list[Row]:
    """Scores and complexity of networks of 1 to 10 layers at the defaults, 4 and 6 bits."""
    rows: list[Row] = []
    for net in NETS:
        rows += (found := [row for bits in _BITS for row in _compared(setup, net, bits)])
        progress(table(found))
    return rows


def _compared(setup: Setup, net: FloatNet, bits: int) -> list[Row]:
    rows = split(net.data)
    exact = outputs(net, rows.X_test)
    about = {"network": str(net), "bits": bits, "float": rows.score(exact)}
    modules: list[QuantizedModule] = []
    taken = seconds(
        lambda: modules.append(
            compile_torch_model(trained_net(net), rows.X, n_bits=bits, p_error=P_ERROR)
        )
    )
    (module,) = modules
    ours = module.fhe_circuit.complexity
    here = _row(about, "ours", rows.score(module.forward(rows.X_test)), ours, taken)
    if setup.peer is None:
        return [here]
    answer = setup.ask(
        "trained_network",
        model=_as_text(net),
        X=rows.X,
        X_test=rows.X_test,
        n_bits=bits,
        p_error=P_ERROR,
    )
    score = rows.score(np.array(answer["outputs"]))
    theirs = _row(about, "peer", score, answer["complexity"], answer["seconds"])
    return [here, {**theirs, "ratio": answer["complexity"] / ours}]


def trained_rows(setup: Setup) -> list[Row]:
    """Seconds of an encrypted row of the same networks, at 6 bits."""
    rows: list[Row] = []
    wanted = os.environ.get("FHE_BENCH_CASES", "")
    for net in NETS:
        if wanted in str(net):
            rows += (found := _encrypted(setup, net))
            progress(table(found))
    return rows


def _encrypted(setup: Setup, net: FloatNet) -> list[Row]:
    rows = split(net.data)
    row = rows.X_test[:1]
    module = compile_torch_model(
        trained_net(net), rows.X, n_bits=_ROW_BITS, p_error=P_ERROR
    )
    keys = seconds(module.fhe_circuit.keygen)
    # The first row also brings the keys into place.
    exact = np.array_equal(module.forward(row, fhe="execute"), module.forward(row))
    if setup.peer is not None:
        setup.ask(
            "trained_network",
            model=_as_text(net),
            X=rows.X,
            X_test=row,
            n_bits=_ROW_BITS,
            p_error=P_ERROR,
        )
    peer_keys = setup.ask("trained_network_keys", X=row)
    long = module.fhe_circuit.complexity > _LONG * 1e9
    ours, theirs = replace(setup, repeat=1 if long else setup.repeat).alternate(
        lambda: seconds(lambda: module.forward(row, fhe="execute")),
        lambda: setup.ask("execute_network", X=row),
    )
    facts = {"network": str(net), "encrypted = clear": exact}
    return [
        {
            **facts,
            "keys (s)": keys,
            "peer's keys (s)": peer_keys,
            "row (s)": ours,
            "peer's row (s)": theirs,
            "ratio": ratio(ours, theirs),
        }
    ]


def _row(about: Row, side: str, score: float, complexity: float, taken: float) -> Row:
    return {
        **about,
        "side": side,
        "score": score,
        "Gops a row": complexity / 1e9,
        "compile (s)": taken,
    }


def _as_text(net: FloatNet) -> str:
    """Return the network as an ONNX file in base64, which the peer reads, too."""
    file, example = io.BytesIO(), torch.from_numpy(split(net.data).X[:2])
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
