"""What the diagram of a fitted estimator shows of its encrypted prediction."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from sklearn.utils._repr_html.fitted_attributes import AttrsDict

from fhe_estimators._parents import MirroringMixin, parent_of
from fhe_estimators._state import FollowingMixin

if TYPE_CHECKING:
    from fhe_estimators.core.quantized_module import QuantizedModule

__all__ = ["DiagramMixin"]

_UNKNOWN = "known once it is compiled"
_TABLE = """
    <div class="estimator-table">
        <details>
            <summary>Encrypted prediction</summary>
            <table class="parameters-table"><tbody>{}</tbody></table>
        </details>
    </div>
"""
_ROW = '<tr class="default"><td class="param">{}</td><td class="value">{}</td></tr>'


class FittedAttributes(AttrsDict):  # type: ignore[misc]
    """Fitted attributes, below a table of what an encrypted row takes.

    Parameters
    ----------
    attributes : AttrsDict
        What scikit-learn shows.
    facts : mapping of str to str
    """

    def __init__(self, attributes: AttrsDict, facts: Mapping[str, str]) -> None:
        super().__init__(
            fitted_attrs=attributes.data,
            estimator_class=attributes.estimator_class,
            doc_link=attributes.doc_link,
        )
        self.facts = dict(facts)

    def _html_repr(self) -> str:
        rows = (_ROW.format(*map(escape, fact)) for fact in self.facts.items())
        attributes: str = super()._html_repr()
        return _TABLE.format("".join(rows)) + attributes


def facts_of(module: QuantizedModule, n_bits: Any, follows: bool) -> dict[str, str]:
    """Return what an encrypted row takes, by name, as far as it is known.

    Nothing is compiled for it. Of keys it tells whether there are any.

    Parameters
    ----------
    module : QuantizedModule
    n_bits : int, mapping or None
        Parameter of the estimator; None if it has none.
    follows : bool
        Whether the integers are still those of the model.
    """
    facts = {} if n_bits is None else {"n_bits": str(n_bits)}
    if not follows:
        return facts | {"circuit": "none: the model was changed after it was lowered"}
    if not module.is_compiled:
        facts |= dict.fromkeys(["tables a row", "seconds a row"], _UNKNOWN)
        return facts | {"circuit": "not compiled", "keys": "none"}
    circuit = module.fhe_circuit
    cost = circuit.cost
    return facts | {
        "tables a row": f"{sum(cost.tables.values()):,}",
        "seconds a row": f"{cost.seconds:.2g}, estimated" if cost.tables else "no table",
        "circuit": f"compiled, p_error={circuit.p_error:.3g}, integers of up to "
        f"{cost.maximum_bit_width} bits",
        "keys": "in the memory of this process" if circuit.has_keys else "none",
    }


class DiagramMixin(FollowingMixin, MirroringMixin):
    """Shows in scikit-learn's diagrams what an encrypted row takes."""

    quantized_module_: QuantizedModule

    def _get_doc_link(self) -> str:
        """Return the address of the parent's documentation; empty if it has none."""
        parent = parent_of(type(self))
        method = inspect.getattr_static(parent, "_get_doc_link", None)
        return "" if method is None else str(method(object.__new__(parent)))

    def _get_fitted_attr_html(self, doc_link: str = "") -> FittedAttributes:
        """Return what the diagram of the fitted estimator shows."""
        # This looks at all attributes: a model that was changed is lowered again.
        attributes = super()._get_fitted_attr_html(doc_link)  # type: ignore[misc]
        n_bits = getattr(self, "n_bits", None)
        facts = facts_of(self.quantized_module_, n_bits, self._is_followed())
        return FittedAttributes(attributes, facts)
