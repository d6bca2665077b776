"""What an encrypted row takes on this machine: measured once, kept in the user's cache."""

from __future__ import annotations

import json
import logging
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fhe_estimators.core.engine._machine import Machine, engine_version

logger = logging.getLogger(__name__)

#: Version of the files.
_FORMAT = 1
_NUMBERS = ("per_call", "per_input_byte", "per_input_byte_of_tables", "per_key_byte")


def threads() -> int:
    """Return how many tables are looked up at once, as the engine's OpenMP chooses it."""
    given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(given) if given.isdecimal() and int(given) else os.cpu_count() or 1


def lookups(number: int) -> int:
    """Return how many tables could be looked up while so many are, by all threads."""
    return math.ceil(number / threads()) * threads()


class Work(NamedTuple):
    """What has to be done for one encrypted row, as far as it takes time.

    Parameters
    ----------
    input_bytes : float
        Encrypted inputs as they are computed with: both sides expand the seed that is sent
        instead of all of a ciphertext but one number.
    key_bytes : float
        Compressed evaluation keys, which every call makes ready.
    tables : float
        Look-ups, see `lookups`.
    operations : float
        Of each table, as the optimizer counts them, its key switch included.
    """

    input_bytes: float
    key_bytes: float
    tables: float
    operations: float


@dataclass(frozen=True)
class MachinePrices:
    """How long work takes on one machine.

    Parameters
    ----------
    machine : str
        What it holds for: processor, threads and engine.
    per_call, per_key_byte : float
        Seconds of each row, and of each byte of its keys.
    per_input_byte, per_input_byte_of_tables : float
        Seconds of each byte of expanded inputs, where one thread adds them up without a
        table, and where all threads do so in front of tables.
    per_table : tuple of (float, float)
        Operations of a table, increasing, and the seconds that it takes; between them
        logarithms are interpolated, beyond them seconds are in proportion. How many bits a
        table reads and at which failure probability is in its operations.
    """

    machine: str
    per_call: float
    per_input_byte: float
    per_input_byte_of_tables: float
    per_key_byte: float
    per_table: tuple[tuple[float, float], ...]

    def seconds(self, work: Work) -> float:
        """Return how long work takes: to encrypt, to compute, and to decrypt."""
        found = self.per_call + self.per_key_byte * work.key_bytes
        if not work.tables:
            return found + self.per_input_byte * work.input_bytes
        found += self.per_input_byte_of_tables * work.input_bytes
        return found + work.tables * self.of_table(work.operations)

    def of_table(self, operations: float) -> float:
        """Return the seconds of one look-up of so many operations."""
        known, seconds = np.transpose(self.per_table)
        nearest = float(np.clip(operations, known[0], known[-1]))
        inside = np.exp(np.interp(np.log(nearest), np.log(known), np.log(seconds)))
        return float(inside * operations / nearest)

    @classmethod
    def fitted(cls, works: Sequence[Work], seconds: Sequence[float]) -> MachinePrices:
        """Return the calibration of this machine that comes nearest to measured seconds.

        Parameters
        ----------
        works : sequence of Work
            Some without tables. Tables of a different number of operations have a price of
            their own, those within a tenth the same one.
        seconds : sequence of float
            Measured; relative errors are made small, and nothing costs less than nothing.
        """
        from scipy.optimize import nnls

        kinds = sorted({w.operations for w in works if w.tables})
        kinds = [k for i, k in enumerate(kinds) if not i or k > 1.1 * kinds[i - 1]]
        places = np.searchsorted(kinds, [w.operations for w in works], side="right") - 1
        terms = np.zeros((len(works), 4 + len(kinds)))
        terms[:, 0] = 1.0
        terms[:, 3] = [work.key_bytes for work in works]
        for row, (work, place) in enumerate(zip(works, places, strict=True)):
            terms[row, 2 if work.tables else 1] = work.input_bytes
            if work.tables:
                terms[row, 4 + place] = work.tables * work.operations / kinds[place]
        terms /= np.array(seconds)[:, np.newaxis]
        sizes = np.linalg.norm(terms, axis=0)
        sizes[sizes == 0] = 1
        found, _ = nnls(terms / sizes, np.ones(len(works)))
        of = (found / sizes).tolist()
        tables = [(k, s) for k, s in zip(kinds, of[4:], strict=True) if s > 0]
        return cls(this_machine(), of[0], of[1], of[2], of[3], tuple(tables))

    # Files -----------------------------------------------------------------------------

    @classmethod
    def cached(cls) -> MachinePrices | None:
        """Return what was saved for this machine and engine, None if there is nothing."""
        path = cache_file()
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            if not isinstance(error, FileNotFoundError):
                logger.warning("%s cannot be read (%s); prices are rough ones", path, error)
            return None
        try:
            return cls._of_json(text)
        except ValueError as error:
            logger.warning(
                "%s is no calibration (%s); prices are rough ones. Remove it, or call "
                "fhe_estimators.inspection.calibrate_prices again.",
                path,
                error,
            )
            return None

    def save(self) -> Path:
        """Write it to the user's cache, in one step; return the file."""
        path = cache_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps({"format": _FORMAT, **asdict(self)}, indent=1), "utf-8")
        part.replace(path)
        return path

    @classmethod
    def _of_json(cls, text: str) -> MachinePrices:
        """Return what a file holds.

        Raises
        ------
        ValueError
            If it is not what `save` writes on this machine.
        """
        content = json.loads(text)
        names = {"format", "machine", *_NUMBERS, "per_table"}
        if not isinstance(content, dict) or content.keys() != names:
            raise ValueError(f"it has to be an object of {', '.join(sorted(names))}")
        if content["format"] != _FORMAT or content["machine"] != this_machine():
            raise ValueError("it is of another version or machine")
        call, alone, before, keys = (_not_negative(content[name]) for name in _NUMBERS)
        table = content["per_table"]
        if not isinstance(table, list) or not table:
            raise ValueError("per_table has to be a list of pairs")
        if not all(isinstance(pair, list) and len(pair) == 2 for pair in table):
            raise ValueError("per_table has to be a list of pairs")
        pairs = [(_not_negative(known), _not_negative(took)) for known, took in table]
        if any(0 in pair for pair in pairs):
            raise ValueError("numbers of per_table have to be positive")
        if [p[0] for p in pairs] != sorted({p[0] for p in pairs}):
            raise ValueError("operations of per_table have to increase")
        return cls(content["machine"], call, alone, before, keys, tuple(pairs))


def _not_negative(value: Any) -> float:
    """Return a number of a file.

    Raises
    ------
    ValueError
        If it is none, or negative, or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is no number")
    if not 0 <= value < math.inf:
        raise ValueError(f"{value!r} is not a finite number from 0")
    return float(value)


def this_machine() -> str:
    """Return what times depend on: processor, threads, engine."""
    version = engine_version()
    return f"{_processor()}, {threads()} threads, concrete-python {version}"


@cache
def _processor() -> str:
    """Return the name of the processor, and a digest of its sets of instructions."""
    machine = Machine.here()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # another system
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    name = names[0] if names else platform.processor()
    digest = sha256(" ".join(machine.instructions).encode()).hexdigest()[:8]
    return f"{machine.system} {machine.processor} {name} {digest}"


def cache_file() -> Path:
    """Return where the calibration of this machine is, or would be.

    A file for each machine and engine in ``fhe_estimators`` of ``$XDG_CACHE_HOME``, which
    is ``~/.cache`` if it is not set to an absolute path.
    """
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    folder = given if given.is_absolute() else Path.home() / ".cache"
    digest = sha256(this_machine().encode()).hexdigest()[:16]
    return folder / "fhe_estimators" / f"prices-{digest}.json"
