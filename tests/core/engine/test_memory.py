"""Memory of native calls is kept from one to the next; that of others is not."""

import ctypes
import platform
import resource
from pathlib import Path

import numpy as np
import pytest

from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.engine._memory import kept_memory
from fhe_estimators.core.graph import Graph, Node, Value

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="Only the GNU C library has mallopt."
)


def use_memory(n_bytes):
    """Take a block, write to each page of it, and free it."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    block = ctypes.c_void_p(libc.malloc(ctypes.c_size_t(n_bytes)))
    ctypes.memset(block, 1, n_bytes)
    libc.free(block)


def page_faults(call, *arguments):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    call(*arguments)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize()


def test_memory_is_used_again():
    found = []
    for _ in range(3):
        with kept_memory():
            found.append(page_faults(use_memory, 200 << 20))
    fresh = page_faults(use_memory, 300 << 20)
    assert found[-1] < fresh / 4


def test_other_large_blocks_go_back_to_the_system():
    with kept_memory():
        use_memory(1 << 20)
    before = resident_bytes()
    use_memory(600 << 20)
    assert resident_bytes() - before < 64 << 20


def test_limit_is_set_back_after_an_error():
    with pytest.raises(ValueError, match="inside"), kept_memory():
        raise ValueError("inside")
    test_other_large_blocks_go_back_to_the_system()


@pytest.mark.fhe
def test_calls_of_a_circuit_take_no_new_memory():
    """The converted bootstrap key alone would be 12,000 pages.

    A call takes new ones where something else has taken a part of the block that was freed.
    """
    graph = Graph(
        (Node("TableLookup", ("x", "table"), ("y",), {"first": 0}),),
        (Value("x", (None, 1), 0, 7),),
        (Value("y", (None, 1), 0, 49),),
        {"table": np.arange(8)[:, np.newaxis] ** 2},
        {"y": Value("y", (None, 1), 0, 49)},
    )
    circuit = Circuit(graph, p_error=2**-40)
    encrypted = circuit.encrypt(np.array([[3]]))
    assert np.median([page_faults(circuit.run, encrypted) for _ in range(9)]) < 3000
