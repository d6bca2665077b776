"""The file of texts: what parameters and attributes mean, for which classes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Entry", "Texts"]

_HEADER = re.compile(r"(?P<name>\S+)( of (?P<owners>[\w, ]+))?( : (?P<type>.+))?")


@dataclass(frozen=True)
class Entry:
    """One entry of the file.

    Parameters
    ----------
    name : str
    owners : tuple of str
        Names of the classes whose subclasses it is for; empty if for all.
    type : str
        With ``default=`` if the default is ours; empty if that of the next entry holds.
    lines : tuple of str
        The description; empty if that of the next entry holds.
    """

    name: str
    owners: tuple[str, ...]
    type: str
    lines: tuple[str, ...]


class Texts:
    """The entries by section.

    Parameters
    ----------
    text : str
        The content of the file.
    """

    def __init__(self, text: str) -> None:
        self._entries: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        self._used: set[Entry] = set()
        for section, entry in _parsed(text):
            self._entries[section, entry.name].append(entry)

    @classmethod
    def read(cls) -> Texts:
        """Return the texts beside this module."""
        return cls(Path(__file__).with_name("texts.rst").read_text(encoding="utf-8"))

    def of(self, section: str, name: str, cls: type) -> Entry:
        """Return type and description of a name for a class.

        Parameters
        ----------
        section : str
        name : str
        cls : type

        Returns
        -------
        entry : Entry

        Raises
        ------
        LookupError
            If there is no type, or no description.
        """
        found = self._candidates(section, name, cls)
        kind = next((entry for entry in found if entry.type), None)
        text = next((entry for entry in found if entry.lines), None)
        if text is None or (kind is None and section != "Prediction"):
            missing = "description" if text is None else "type"
            raise LookupError(
                f"texts.rst has no {missing} of {name!r} in the section {section} for "
                f"{cls.__name__}: add an entry '{name} of {cls.__name__} : type', or one "
                "for a class that it inherits from."
            )
        self._used |= {text} if kind is None else {kind, text}
        return Entry(name, (), kind.type if kind else "", text.lines)

    def declared(self, section: str, cls: type) -> list[str]:
        """Return the names that have an entry ``of`` a class that `cls` inherits from."""
        known = {base.__name__ for base in cls.__mro__}
        return [
            name
            for (where, name), entries in self._entries.items()
            if where == section and any(known & {*entry.owners} for entry in entries)
        ]

    def unused(self) -> list[str]:
        """Return the headers of the entries that no class has needed."""
        return [
            f"{entry.name} of {', '.join(entry.owners)}" if entry.owners else entry.name
            for entries in self._entries.values()
            for entry in entries
            if entry not in self._used
        ]

    def _candidates(self, section: str, name: str, cls: type) -> Sequence[Entry]:
        """Return the entries of a name that hold for a class, the closest first."""
        entries = self._entries.get((section, name), [])
        found = [
            entry
            for base in cls.__mro__
            for entry in entries
            if base.__name__ in entry.owners
        ]
        return [*found, *(entry for entry in entries if not entry.owners)]


def _parsed(text: str) -> list[tuple[str, Entry]]:
    """Return section and entry, in the order of the file."""
    lines = text.replace("\\\n", "").splitlines()
    found: list[tuple[str, Entry]] = []
    section, at = "", 0
    while at < len(lines):
        if lines[at + 1 : at + 2] == ["-" * len(lines[at])] and lines[at]:
            section, at = lines[at], at + 2
            continue
        start, at = at, at + 1
        while at < len(lines) and (not lines[at] or lines[at].startswith(" ")):
            at += 1
        header = _HEADER.fullmatch(lines[start])
        if not section or not lines[start]:
            continue
        if header is None:
            raise ValueError(f"texts.rst: {lines[start]!r} is no 'name of A, B : type'.")
        owners = tuple(re.findall(r"\w+", header["owners"] or ""))
        body = "\n".join(line[4:] for line in lines[start + 1 : at]).strip("\n")
        kind, description = header["type"] or "", tuple(body.splitlines())
        found.append((section, Entry(header["name"], owners, kind, description)))
    return found
