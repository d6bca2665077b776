"""A page on a model: what it is, what a row costs, how right it is, who learns what."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline

from fhe_estimators._reports import facts_as_html, learned_as_html, table_as_html
from fhe_estimators.core.circuit import Cost, LayerReport
from fhe_estimators.deployment._learned import check_may_be_shared, what_is_learned
from fhe_estimators.inspection._agreement import Agreement, agreement, check_count
from fhe_estimators.inspection._models import compiled, predictor
from fhe_estimators.inspection._versions import versions
from fhe_estimators.quantization import QuantizedModule

_STYLE = """
:root { color-scheme: light dark; --text: #1b1b1b; --ground: #ffffff; --soft: #5a5a5a;
        --line: #dddddd; --accent: #224466; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e8e8e8; --ground: #16181c; --soft: #a5a9b0; --line: #3a3d43;
          --accent: #8fb4dd; }
}
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto;
       padding: 0 1rem; color: var(--text); background: var(--ground); }
h1 { margin-bottom: 0; } h1 + p { margin-top: 0; color: var(--soft); }
h2 { margin-top: 2.5rem; border-top: 3px solid var(--accent); padding-top: .4rem; }
p, li { max-width: 44rem; } .wide { overflow-x: auto; } .note { color: var(--soft); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; } th[scope=row] { font-weight: 500; }
th, td { padding: .2rem 1.2rem .2rem 0; vertical-align: top;
         border-bottom: 1px solid var(--line); }
"""
#: Nothing is loaded and nothing runs, whatever names stand on the page.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

#: What the ways to compute predictions are called on the page.
_MODES = {
    "reference": "in floating point",
    "disable": "quantized",
    "simulate": "simulated",
    "execute": "encrypted",
}
_MACHINE = "This machine is the one that the page was written on, with {} processors."
#: Layers that are shown.
_N_LAYERS = 40


@dataclass(frozen=True)
class ModelCard:
    """What there is to say about a model; shows in notebooks as on its page.

    Parameters
    ----------
    name : str
    facts : dict of str to str
        What the model is.
    cost : Cost
        Of an encrypted row.
    layers : LayerReport
        Bits of the integers.
    comparisons : Agreement
        Of predictions, and their scores.
    metric : str
        What scores are.
    learns : dict of str to list of str
        What the client and the server of a deployment learn, in sentences.
    versions : dict of str to str
    """

    name: str
    facts: Mapping[str, str]
    cost: Cost
    layers: LayerReport
    comparisons: Agreement
    metric: str
    learns: Mapping[str, Sequence[str]]
    versions: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return all that is on the page, as numbers, texts, lists and dicts.

        Returns
        -------
        document : dict of str to object
        """
        return {
            "name": self.name,
            "facts": dict(self.facts),
            "cost": asdict(self.cost),
            "layers": [asdict(layer) for layer in self.layers],
            "metric": self.metric,
            "comparisons": [asdict(each) for each in self.comparisons],
            "learns": {side: list(texts) for side, texts in self.learns.items()},
            "versions": dict(self.versions),
        }

    def to_html(self) -> str:
        """Return the page: all of it, nothing is loaded from elsewhere.

        Returns
        -------
        html : str
        """
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
            '<meta name="viewport" content="width=device-width">'
            '<link rel="icon" href="data:,">'
            f"<title>{escape(self.name)}</title><style>{_STYLE}</style></head>"
            f"<body>{self._repr_html_()}</body></html>\n"
        )

    def save(self, path: str | Path) -> None:
        """Write the page.

        Parameters
        ----------
        path : str or Path
        """
        Path(path).write_text(self.to_html(), "utf-8")

    def _repr_html_(self) -> str:
        return (
            f"<h1>{escape(self.name)}</h1><p>predicts on encrypted rows</p>"
            f"{facts_as_html(self.facts)}"
            f"<h2>What an encrypted row costs</h2>{facts_as_html(self.cost._facts())}"
            f'<p class="note">{_MACHINE.format(os.cpu_count())}</p>'
            f"<h2>How right it is</h2>{''.join(self._agreement())}"
            f"<h2>Bits of its integers</h2>{''.join(self._bits())}"
            f"<h2>What each side learns</h2>{learned_as_html(self.learns)}"
            f"<h2>Versions</h2>{facts_as_html(self.versions)}"
        )

    def _agreement(self) -> Iterator[str]:
        heads = ["computed", "rows", self.metric, "predicted as quantized"]
        heads += ["of all such rows, 95 % sure", "largest difference"]
        rows = [
            [
                _MODES[of.mode],
                f"{of.n_rows:,}",
                _number(of.score, ".4f"),
                f"{of.n_rows - of.n_different:,}",
                f"{of.equal_from:.1%} to {of.equal_to:.1%}",
                _number(of.largest_difference, ".3g"),
            ]
            for of in self.comparisons
        ]
        yield f'<div class="wide">{table_as_html(rows, heads)}</div>'
        if not any(of.mode == "execute" for of in self.comparisons):
            yield '<p class="note">No row was predicted encrypted for this page.</p>'

    def _bits(self) -> Iterator[str]:
        head, *rows = self.layers._cells()
        yield f'<div class="wide">{table_as_html(rows[:_N_LAYERS], head)}</div>'
        if len(rows) > _N_LAYERS:
            yield f'<p class="note">and {len(rows) - _N_LAYERS:,} more layers.</p>'


def _number(value: float, form: str) -> str:
    return "-" if np.isnan(value) else format(value, form)


def model_card(
    model: Any,
    X: Any,
    y: Any = None,
    path: str | Path | None = None,
    *,
    name: str | None = None,
    reference: Any = "parent",
    simulate: bool = True,
    n_encrypted: int = 0,
    results_shared: bool = False,
) -> ModelCard:
    """Return a page on a model, and write it.

    Compiles the model if that was not done yet; makes keys only for `n_encrypted` rows.

    Parameters
    ----------
    model : classifier or regressor of fhe_estimators, Pipeline or search
        Fitted.
    X : array-like of shape (n_samples, n_features)
        Rows to predict, other than those that it was fitted on.
    y : array-like of shape (n_samples,), optional
        What is right, for scores.
    path : str or Path, optional
        Of the page: one file of HTML that loads nothing from elsewhere. It is not written
        by default.
    name : str, optional
        Of the model; by default that of its class.
    reference : estimator, 'parent' or None, default='parent'
        The model in floating point, see `agreement`; None leaves it out.
    simulate : bool, default=True
        Whether to predict all rows with the cryptography simulated.
    n_encrypted : int, default=0
        How many rows, the first ones, are predicted encrypted, which may take seconds each.
    results_shared : bool, default=False
        Whether clients may show decrypted results to others, see
        `fhe_estimators.deployment.save_deployment`.

    Returns
    -------
    card : ModelCard

    Raises
    ------
    TypeError
        If `model` is no such estimator.
    ValueError
        If `X` has no rows, or fewer than `n_encrypted`; if `p_error` is too large for
        shared results.
    NotFittedError
        If `model` is not fitted.
    CompilationError
        If a row would take hours.

    Examples
    --------
    >>> from fhe_estimators import DecisionTreeClassifier
    >>> from fhe_estimators.inspection import model_card
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 1, 1, 1]
    >>> card = model_card(DecisionTreeClassifier().fit(X, y), X, y)
    >>> [(of.mode, of.score) for of in card.comparisons]
    [('reference', 1.0), ('disable', 1.0), ('simulate', 1.0)]
    """
    # It imports more of the engine than `cost` needs.
    from fhe_estimators.core.engine import SECURITY_BITS

    part: Any = predictor(model)
    check_count(n_encrypted, X)
    compiled(part)
    module: QuantizedModule = part.quantized_module
    circuit = module.fhe_circuit
    check_may_be_shared(results_shared, circuit.p_error)
    comparisons = agreement(
        model, X, y, reference=reference, simulate=simulate, n_encrypted=n_encrypted
    )
    steps = _steps(model)
    facts = {
        "model": type(part).__name__,
        "steps before it, in clear at the client": ", ".join(steps) or "none",
        "features": f"{part.n_features_in_:,}",
        "n_bits": str(getattr(part, "n_bits", "those of training")),
        "p_error": f"{circuit.p_error:.3g}, of each table, or result",
        "security": f"{SECURITY_BITS} bits",
        "results may be shown to others": "yes" if results_shared else "no",
    }
    learns = what_is_learned(
        module, has_preprocessing=bool(steps), results_shared=results_shared
    )
    card = ModelCard(
        type(part).__name__ if name is None else name,
        facts,
        circuit.cost,
        circuit.layers,
        comparisons,
        "accuracy" if is_classifier(model) else "R²",
        learns,
        versions(),
    )
    if path is not None:
        card.save(path)
    return card


def _steps(model: Any) -> list[str]:
    """Return the classes of what precedes the encrypted estimator in pipelines."""
    if isinstance(model, BaseSearchCV):
        return _steps(model.best_estimator_)
    if not isinstance(model, Pipeline):
        return []
    return [type(step).__name__ for _, step in model.steps[:-1]] + _steps(model[-1])
