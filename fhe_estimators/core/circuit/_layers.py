"""What is computed encrypted, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

from fhe_estimators._reports import Report
from fhe_estimators.core.graph import Graph, Node
from fhe_estimators.core.operators import kinds_of


@dataclass(frozen=True)
class Layer:
    """The integers of one node of an integer graph.

    Parameters
    ----------
    name : str
        Of the float tensor that the result stands for.
    operator : str
    tables : int
        Look-ups for one row; 0 for sums and products with clear weights.
    input_bits : int
        Bits of the widest operand; of an accumulator in front of a table.
    kept_bits : int
        Bits that the tables read, after rounding.
    rounding : {'', 'exact', 'approximate'}
    output_bits : int
    """

    name: str
    operator: str
    tables: int
    input_bits: int
    kept_bits: int
    rounding: str
    output_bits: int


class LayerReport(Report[Layer]):
    """The layers of an integer graph; prints as a table."""

    __slots__ = ()

    _index = "name"

    @classmethod
    def of(cls, graph: Graph) -> LayerReport:
        """Return the report of a graph."""
        return cls(_layer(graph, node) for node in graph)

    def _cells(self) -> list[list[str]]:
        heads = ["layer", "operator", "tables", "bits", "kept", "rounding", "result"]
        return [heads] + [
            [
                layer.name,
                layer.operator,
                str(layer.tables or ""),
                str(layer.input_bits),
                str(layer.kept_bits) if layer.tables else "",
                layer.rounding,
                str(layer.output_bits),
            ]
            for layer in self
        ]


def _layer(graph: Graph, node: Node) -> Layer:
    encrypted = [name for name in node.inputs if name and name not in graph.constants]
    bits = max(graph.value(name).bits or 0 for name in encrypted)
    result = graph.value(node.outputs[0])
    kind = kinds_of(graph)(node)
    lsbs = node.attributes.get("lsbs", 0)
    rounding = ("exact" if kind.removed_bits(node) else "approximate") if lsbs else ""
    return Layer(
        result.name,
        node.op,
        result.row_size if kind.bootstraps else 0,
        bits,
        kind.table_bits(node, graph) if kind.bootstraps else bits,
        rounding,
        result.bits or 0,
    )
