"""What every operator shares, and the registry."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

import numpy as np

from fhe_estimators.core.graph import Graph, Node
from fhe_estimators.core.integers.builder import IntegerBuilder
from fhe_estimators.core.integers.tensors import ClearIntegers, Encrypted
from fhe_estimators.core.operators._rows import row_by_row
from fhe_estimators.exceptions import UnsupportedOperatorError

#: What an operator reads while a graph is quantized.
Operand = Encrypted | ClearIntegers | np.ndarray | None


class QuantizedOp:
    """One ONNX operator: its float meaning and its integer meaning.

    A subclass gives the float meaning as the function `f`, whose positional parameters
    are the operator's inputs and whose keyword-only parameters are its attributes, named
    and defaulted as in the ONNX specification. The family base between this class and
    the operator gives the integer meaning, `quantize`.

    Parameters
    ----------
    node : Node
        The application of the operator.

    Raises
    ------
    UnsupportedOperatorError
        If the node sets an attribute, or a value of one, that the operator refuses.
    """

    #: Name and first version, set by `register`.
    op_type: ClassVar[str]
    since: ClassVar[int]
    #: False for an operator that only runs in clear, at the end of a graph.
    encrypted: ClassVar[bool] = True
    #: True for an operator that an integer graph may hold.
    integer: ClassVar[bool] = False
    #: The operator set; ONNX's own by default.
    domain: ClassVar[str] = ""
    #: True for an operator that uses clear integers as such, not as real numbers.
    uses_integers: ClassVar[bool] = False
    #: True if ``f(x + y) == f(x) + f(y)`` for integers, in the first operand.
    additive: ClassVar[bool] = False
    #: True for a product with clear weights. Encryption begins before the first one and
    #: ends behind the last one.
    is_product: ClassVar[bool] = False
    #: Axes of the first operand of a product along which its scale may differ: the scales
    #: go into the weights.
    units: ClassVar[tuple[int, ...]] = ()
    #: True if each element of a result is a function of the elements at its place.
    pointwise: ClassVar[bool] = False
    #: True for an operator that rounds as training did. Its results have integers of their
    #: own, on clear tensors too.
    trained: ClassVar[bool] = False
    #: True for an operator that takes each channel (axis 1) of images by itself.
    by_channel: ClassVar[bool] = False
    #: True for an operator of tensors whose rows meet, not of one tensor and parameters.
    aligned: ClassVar[bool] = False
    #: True if it costs no table, whatever it reads; see `is_free`.
    free: ClassVar[bool] = False
    #: True if its results hold all elements of the first operand, none of them changed.
    keeps_elements: ClassVar[bool] = False
    #: True if these are in the order of the first operand, too, and there are no others.
    keeps_order: ClassVar[bool] = False
    #: True for a sum, or mean, of elements of one tensor, that leaves fewer of them.
    sums: ClassVar[bool] = False
    #: True for a sum or difference of operands, which need one scale for it.
    adds: ClassVar[bool] = False
    #: True for an operator that compares and chooses, for which infinity is one more end.
    takes_infinity: ClassVar[bool] = False
    #: True for an operator that reads how large tensors are, not what they hold.
    reads_sizes: ClassVar[bool] = False
    #: True for an operator that assigns to elements of its first operand.
    assigns: ClassVar[bool] = False
    #: True for an operator of integer graphs that takes bootstraps.
    bootstraps: ClassVar[bool] = False
    #: Attributes that are known but not served, each with the reason.
    refuses: ClassVar[Mapping[str, str]] = {}
    #: True if written out it holds products with weights; see `body`.
    holds_products: ClassVar[bool] = False
    #: A static or class method. Given a `Writer`, it writes the node in other operators and
    #: returns the name of the result, or the names: of an older version in the newest, of a
    #: composed operator in its parts. None, here or returned: the node stays what it is.
    body: ClassVar[Any] = None
    f: ClassVar[Callable[..., Any]]

    def __init__(self, node: Node) -> None:
        self.node = node
        known = _attributes_of(self.f)
        for attribute, value in node.attributes.items():
            if attribute in self.refuses or attribute not in known:
                reason = self.refuses.get(attribute, "the attribute is not known")
                raise UnsupportedOperatorError(
                    f"Node {node}: attribute {attribute}={value!r} is not supported: "
                    f"{reason}. Supported: {', '.join(sorted(known)) or 'none'}."
                )
        self.attributes = dict(node.attributes)

    def row_by_row(
        self, operands: Sequence[np.ndarray | None], rows: Collection[int]
    ) -> tuple[np.ndarray, ...]:
        """Return the results of the node on examples; nothing if it mixes their rows.

        Parameters
        ----------
        operands : sequence of ndarray or None
        rows : collection of int
            The operands that hold ``N_ROWS`` rows; the others are the same for all rows.
        """
        return row_by_row(self, operands, rows)

    @classmethod
    def is_free(cls, node: Node, clear: Collection[str]) -> bool:
        """Tell whether a node costs no table on encrypted integers.

        Parameters
        ----------
        node : Node
        clear : collection of str
            The tensors that are not encrypted.
        """
        return cls.free

    @classmethod
    def makes_vectors(cls, node: Node) -> bool:
        """Tell whether a node makes a vector of each row, of all its elements in order."""
        return False

    @classmethod
    def reads_indices(cls, node: Node) -> bool:
        """Tell whether a node takes the numbers that it reads for integers."""
        return False

    @classmethod
    def table_bits(cls, node: Node, graph: Graph) -> int:
        """Return the bits of the index of an integer node's table; 0 without a table."""
        return 0

    @classmethod
    def removed_bits(cls, node: Node) -> int:
        """Return how many bits a node removes with a bootstrap each, for every element."""
        return 0

    @classmethod
    def noise_factor(cls, node: Node, graph: Graph) -> float:
        """Return what an integer node multiplies the noise of its operands by, at most."""
        return 1.0

    def __call__(self, *arrays: Any) -> Any:
        """Return the float meaning of the node on `arrays`."""
        return self.f(*arrays, **self.attributes)

    def in_clear(self, operands: Sequence[Operand]) -> ClearIntegers | np.ndarray:
        """Return the result of the node on clear operands."""
        return np.asarray(self(*map(as_array, operands)))

    def can_fuse(self, operands: Sequence[Operand]) -> bool:
        """Tell whether the node can become part of one table with what precedes it.

        It can if it works element by element and all its encrypted operands are computed
        from one and the same integer tensor. Operators that mix the elements of a
        tensor, such as a matrix product, cannot.
        """
        return False

    def quantize(
        self, operands: Sequence[Operand], builder: IntegerBuilder
    ) -> Encrypted | tuple[Encrypted, ...]:
        """Append the integer meaning of the node to `builder`.

        Parameters
        ----------
        operands : sequence of Encrypted, ClearIntegers, ndarray or None
            Encrypted tensors, clear ones, and None for an optional input left out. Clear
            integers come to operators that use them as such.
        builder : IntegerBuilder
            Where integer nodes go.

        Returns
        -------
        result : Encrypted or tuple of Encrypted
            One for each result of the node.

        Raises
        ------
        UnsupportedOperatorError
            If the operator has no encrypted form, or not for such operands.
        """
        raise self.unsupported("it runs in clear, at the end of a graph only")

    def unsupported(self, reason: str) -> UnsupportedOperatorError:
        """Return the error that says why this node cannot be encrypted."""
        return UnsupportedOperatorError(
            f"Node {self.node} cannot be computed on encrypted data: {reason}. "
            f"Operators with an encrypted form: {', '.join(supported(encrypted=True))}."
        )


@functools.cache
def _attributes_of(f: Callable[..., Any]) -> frozenset[str]:
    """Return the names of the keyword-only parameters of a float meaning."""
    parameters = inspect.signature(f).parameters.values()
    return frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)


def as_array(operand: Operand) -> Any:
    """Return `ClearIntegers` as an array of real numbers, other operands unchanged."""
    return operand.values if isinstance(operand, ClearIntegers) else operand


_Class = TypeVar("_Class", bound=type[QuantizedOp])
_REGISTRY: dict[str, list[type[QuantizedOp]]] = {}


def register(op_type: str, *, since: int) -> Callable[[_Class], _Class]:
    """Register a class as the operator `op_type` from opset `since` on."""

    def decorate(cls: _Class) -> _Class:
        if not isinstance(inspect.getattr_static(cls, "f"), staticmethod):
            raise TypeError(f"{cls.__name__}.f is no method: decorate it with staticmethod")
        versions = _REGISTRY.setdefault(op_type, [])
        if any(version.since == since for version in versions):
            raise ValueError(f"{op_type} since opset {since} is registered twice")
        cls.op_type, cls.since = op_type, since
        versions.append(cls)
        versions.sort(key=lambda version: version.since)
        return cls

    return decorate


@contextmanager
def scratch() -> Iterator[None]:
    """Return a context at whose end operators are forgotten that were registered in it."""
    known = {name: list(versions) for name, versions in _REGISTRY.items()}
    try:
        yield
    finally:
        _REGISTRY.clear()
        _REGISTRY.update(known)


def supported(
    *, encrypted: bool = False, integer: bool = False
) -> dict[str, type[QuantizedOp]]:
    """Return the newest classes of operators by name, sorted.

    Parameters
    ----------
    encrypted : bool, default=False
        Only those that can be computed on encrypted data.
    integer : bool, default=False
        Only those that an integer graph may hold.
    """
    return {
        name: cls
        for name, cls in registry().items()
        if (cls.encrypted or not encrypted) and (cls.integer or not integer)
    }


def lookup(op_type: str, opset: int) -> type[QuantizedOp]:
    """Return the class of an operator for an opset.

    Raises
    ------
    UnsupportedOperatorError
        If there is none.
    """
    versions = [cls for cls in _REGISTRY.get(op_type, []) if cls.since <= opset]
    if not versions:
        first = _REGISTRY.get(op_type)
        why = (
            f"it is supported from opset {first[0].since} on, the model has {opset}"
            if first
            else f"supported operators: {', '.join(supported())}"
        )
        raise UnsupportedOperatorError(f"Operator {op_type} is not supported: {why}.")
    return versions[-1]


def is_newest(kind: type[QuantizedOp]) -> bool:
    """Tell whether there is no newer version of an operator."""
    return _REGISTRY[kind.op_type][-1] is kind


def kinds_of(graph: Graph) -> Callable[[Node], type[QuantizedOp]]:
    """Return a function from a node of the graph to the class of its operator."""
    return lambda node: lookup(node.op, graph.opset)


def operators_of(graph: Graph) -> Callable[[Node], QuantizedOp]:
    """Return a function from a node of the graph to its operator."""
    return lambda node: lookup(node.op, graph.opset)(node)


def registry() -> dict[str, type[QuantizedOp]]:
    """Return the newest class of every operator by name."""
    return {name: versions[-1] for name, versions in sorted(_REGISTRY.items())}
