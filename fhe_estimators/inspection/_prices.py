"""What work takes on this machine: circuits of known work, timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from numbers import Integral

import numpy as np

from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.engine import MachinePrices, Work, threads
from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.validation import check_p_error

#: What is measured by default: bits that tables read, and failure probabilities.
_BITS, _P_ERRORS = (2, 3, 4, 5, 6), (2**-40, 2**-64)
#: Encrypted bits that a circuit of few tables has, as trees of many features have them.
_BITS_SENT = 400
#: Inputs of circuits without tables, and tables of circuits with some for each thread.
_INPUTS, _FEW, _MANY = (20, 100), 1, 6
#: Times that each circuit runs at least, and at most while seconds are left. The first one,
#: which brings keys into place, is not counted.
_LEAST_TIMES, _MOST_TIMES, _SECONDS = 4, 30, 0.3
#: What a table starts at.
_FIRST = {"first": 0}
#: Bits of a table beyond which keys take minutes to make.
_MOST_BITS = 8


def calibrate_prices(
    *,
    table_bits: Sequence[int] = _BITS,
    p_errors: Sequence[float] = _P_ERRORS,
    save: bool = True,
) -> MachinePrices:
    """Measure what encrypted rows take on this machine, for estimates from now on.

    Small circuits are compiled, their keys are made, and rows are encrypted, computed and
    decrypted: it takes about a minute, in which nothing else should run. `cost`, the
    searches of `model_selection` and the command line then tell the seconds of a whole row
    instead of rough ones of its tables. Models are lowered in the same way before and
    after.

    Parameters
    ----------
    table_bits : sequence of int, default=(2, 3, 4, 5, 6)
        Bits that the measured tables read, from 1 to 8. What is between them is
        interpolated, and wider ones are in proportion.
    p_errors : sequence of float, default=(2**-40, 2**-64)
        Failure probabilities at which tables are measured.
    save : bool, default=True
        Whether to write it to the user's cache, ``fhe_estimators`` in
        ``$XDG_CACHE_HOME``, or ``~/.cache``: a file for each processor, number of threads
        and version of the engine. Remove it to be without.

    Returns
    -------
    calibration : MachinePrices
        Seconds of a call, of bytes of inputs and keys, and of tables.

    Raises
    ------
    ValueError
        If `table_bits` or `p_errors` are empty or hold what no table has.
    RuntimeError
        If times say nothing, because the machine was busy.
    OSError
        If the file cannot be written.
    """
    circuits = calibrating(_checked_bits(table_bits), _checked_p_errors(p_errors))
    works, seconds = zip(*map(timed, circuits), strict=True)
    found = MachinePrices.fitted(works, seconds)
    if not found.per_table:
        raise RuntimeError(
            "Rows with tables took no longer than those without: something else kept the "
            "machine busy. Call calibrate_prices again while nothing else runs."
        )
    if save:
        found.save()
    return found


def _checked_bits(table_bits: Sequence[int]) -> list[int]:
    bits = list(table_bits)
    right = [isinstance(b, Integral) and 1 <= b <= _MOST_BITS for b in bits]
    if not bits or not all(right):
        raise ValueError(
            f"The parameter 'table_bits' must be integers from 1 to {_MOST_BITS}, at least "
            f"one; got {table_bits!r}."
        )
    return bits


def _checked_p_errors(p_errors: Sequence[float]) -> list[float]:
    found = [check_p_error(p_error, "calibrate_prices") for p_error in p_errors]
    if not found:
        raise ValueError("The parameter 'p_errors' must have at least one probability.")
    return found


def calibrating(
    table_bits: Sequence[int] = _BITS, p_errors: Sequence[float] = _P_ERRORS
) -> Iterator[Circuit]:
    """Yield the circuits that prices come from, with keys."""
    graphs = [(total(n_inputs), p_errors[0]) for n_inputs in _INPUTS]
    for p_error in p_errors:
        graphs += [(tables(bits, _MANY * threads()), p_error) for bits in table_bits]
        # Fewer tables with the same keys tell tables and keys apart, more inputs inputs.
        middle = sorted(table_bits)[len(table_bits) // 2]
        graphs.append((tables(middle, _FEW * threads()), p_error))
        graphs.append((tables(middle, _FEW * threads(), n_bits=_BITS_SENT), p_error))
    for graph, p_error in graphs:
        circuit = Circuit(graph, p_error=p_error)
        circuit.keygen()
        yield circuit


def timed(
    circuit: Circuit, clock: Callable[[], float] = time.perf_counter
) -> tuple[Work, float]:
    """Return the work of a row, and the least seconds that it takes of several times.

    Whatever else runs on the machine adds to them.

    Parameters
    ----------
    circuit : Circuit
        Keys are made if there are none.
    clock : callable
        Returns seconds.
    """
    circuit.keygen()
    rows = [np.zeros((1, value.row_size), np.int64) for value in circuit.graph.inputs]
    taken: list[float] = []
    while len(taken) < _LEAST_TIMES or (len(taken) < _MOST_TIMES and sum(taken) < _SECONDS):
        start = clock()
        circuit.decrypt(circuit.run(circuit.encrypt(*rows)))
        taken.append(clock() - start)
    return circuit.work, min(taken[1:])


def total(n_inputs: int) -> Graph:
    """Return a graph that adds up integers of 8 bits with weights of 8 bits."""
    weights = np.resize([127, -127], (n_inputs, 1))
    reach = 255 * 127 * ((n_inputs + 1) // 2)
    x, y = Value("x", (None, n_inputs), 0, 255), Value("y", (None, 1), -reach, reach)
    node = Node("MatMul", ("x", "weights"), ("y",))
    return Graph((node,), (x,), (y,), {"weights": weights}, {"y": y})


def tables(bits: int, number: int, *, n_bits: int | None = None) -> Graph:
    """Return a graph of tables that read so many bits each; it adds their results up.

    What they read are inputs, or how many of ``2**bits - 1`` bits are 1. There are `n_bits`
    of them, or as many as are read if these are more; further ones count nowhere.
    """
    most, shape = (1 << bits) - 1, (None, number)
    y, t = Value("y", (None, 1), 0, number), Value("t", shape, 0, 1)
    lookup = Node("TableLookup", ("x" if n_bits is None else "s", "table"), ("t",), _FIRST)
    nodes: tuple[Node, ...] = (lookup, Node("MatMul", ("t", "ones"), ("y",)))
    constants = {"table": np.arange(most + 1) % 2, "ones": np.ones((number, 1), int)}
    if n_bits is None:
        x = Value("x", shape, 0, most)
        return Graph(nodes, (x,), (y,), constants, {"t": t, "y": y})
    each = np.repeat(np.eye(number, dtype=int), most, axis=0)
    constants["each"] = np.pad(each, ((0, max(n_bits - len(each), 0)), (0, 0)))
    x = Value("x", (None, len(constants["each"])), 0, 1)
    nodes = (Node("MatMul", ("x", "each"), ("s",)), *nodes)
    values = {"s": Value("s", shape, 0, most), "t": t, "y": y}
    return Graph(nodes, (x,), (y,), constants, values)
