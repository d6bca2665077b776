"""What compiled programs depend on."""

from __future__ import annotations

import platform
import re
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

#: Sets of instructions that compilers choose from, by how the system calls them.
_SETS = re.compile(
    r"(abm|adx|aes|amx|asimd|avx|bmi|f16c|fma|gfni|lse|movbe|neon|pclmul|popcnt|s?sse|sha|"
    r"sve|vaes|vpclmul)\w*"
)


class Machine(NamedTuple):
    """A kind of machine.

    Parameters
    ----------
    system, processor : str
    instructions : tuple of str
        Sets of instructions that its processors have, beyond those that all have; sorted.
    """

    system: str
    processor: str
    instructions: tuple[str, ...]

    @classmethod
    def here(cls) -> Machine:
        """Return the kind of this one."""
        return cls(platform.system(), platform.machine(), _instructions())

    def runs(self, compiled: Machine) -> bool:
        """Tell whether programs that were compiled on another one run on this one.

        The engine compiles for the very processor that it runs on: with AVX-512, if that
        has it. Elsewhere such a program ends its process.
        """
        same = self[:2] == compiled[:2]
        return same and set(compiled.instructions) <= set(self.instructions)


@cache
def _instructions() -> tuple[str, ...]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:  # another system
        return ()
    return instruction_sets(text)


def instruction_sets(text: str) -> tuple[str, ...]:
    """Return the sets of instructions that all processors have.

    Parameters
    ----------
    text : str
        As Linux describes processors, ``/proc/cpuinfo``.
    """
    lines = re.findall(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    known = [{flag for flag in line.split() if _SETS.fullmatch(flag)} for line in lines]
    return tuple(sorted(set.intersection(*known))) if known else ()


@cache
def engine_version() -> str:
    """Return the version of the engine, which compiled programs depend on."""
    return metadata.version("concrete-python")
