"""The docstring and the constructor of a mirror."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from tools.mirror.parents import (
    Argument,
    added,
    documented_attributes,
    mirrored,
    takes_any,
)
from tools.mirror.texts import Entry, Texts

__all__ = ["MARK", "constructor", "docstring"]

#: Stands above a constructor that is written by the tool.
MARK = "    # Written by `make mirror`, and so are Parameters, Attributes and See Also."

#: How the paragraph of the extended summary begins that is written by the tool.
_FITTED_BY = "Fitted by "
_WIDTH = 92
_LIBRARIES = {
    "catboost": "CatBoost",
    "interpret": "interpret",
    "lightgbm": "LightGBM",
    "sklearn": "scikit-learn",
    "xgboost": "XGBoost",
}


def arguments(cls: type, texts: Texts) -> list[Argument]:
    """Return all parameters of the constructor: the parent's, then ours."""
    found = []
    for argument in mirrored(cls):
        ours = _stated_default(texts.of("Parameters", argument.name, cls))
        default = argument.default if ours is None else ours
        found.append(Argument(argument.name, default, argument.keyword_only))
    for name in added(cls):
        ours = _stated_default(texts.of("Parameters", name, cls))
        if ours is None:
            raise LookupError(f"texts.rst: the type of {name!r} must end in 'default='.")
        found.append(Argument(name, ours, keyword_only=True))
    return found


def _stated_default(entry: Entry) -> str | None:
    """Return the source of the default that a type ends in, if it does."""
    _, stated, default = entry.type.partition(", default=")
    return default.replace("'", '"') if stated else None


def docstring(raw: str, cls: type, parent: str, texts: Texts) -> str:
    """Return a docstring with the sections that the tool writes.

    Parameters
    ----------
    raw : str
        The docstring as it is, dedented, without quotes.
    cls : type
    parent : str
        The dotted name of the mirrored class; empty if it is one of ours.
    texts : Texts

    Returns
    -------
    docstring : str
        In the same form.
    """
    summary, sections = _sections(raw)
    paragraphs = summary.split("\n\n")
    ours = {
        "Parameters": "\n".join(_parameters(cls, texts)),
        "Attributes": "\n".join(_attributes(cls, texts)),
    }
    if parent:
        library = _LIBRARIES[parent.partition(".")[0]]
        prediction = " ".join(texts.of("Prediction", "prediction", cls).lines)
        paragraphs = [p for p in paragraphs if not p.lstrip().startswith(_FITTED_BY)]
        paragraphs.append(textwrap.fill(prediction.format(library=library), _WIDTH - 4))
        ours["See Also"] = f"{parent} : The mirrored class."
    return "\n\n".join(
        [
            *paragraphs,
            *(f"{name}\n{'-' * len(name)}\n{text}" for name, text in ours.items()),
            *(text for name, text in sections if name not in ours),
        ]
    )


def _sections(raw: str) -> tuple[str, list[tuple[str, str]]]:
    """Return what stands above the sections, and name and text of each."""
    pieces = re.split(r"\n\n(?=(\w[\w ]*)\n-+\n)", raw.strip())
    return pieces[0], list(zip(pieces[1::2], pieces[2::2], strict=True))


def _parameters(cls: type, texts: Texts) -> Iterator[str]:
    for argument in arguments(cls, texts):
        entry = texts.of("Parameters", argument.name, cls)
        kind, _, _ = entry.type.partition(", default=")
        default = argument.default and f", default={_documented(argument.default)}"
        yield from _item(entry, kind + default)
    if takes_any(cls):
        entry = texts.of("Parameters", "**kwargs", cls)
        yield from _item(entry, entry.type)


def _attributes(cls: type, texts: Texts) -> Iterator[str]:
    names = [*documented_attributes(cls), *texts.declared("Attributes", cls)]
    for name in dict.fromkeys(names):
        entry = texts.of("Attributes", name, cls)
        yield from _item(entry, entry.type)


def _item(entry: Entry, kind: str) -> Iterator[str]:
    """Yield the lines of an entry of a section."""
    head = textwrap.wrap(
        f"{entry.name} : {kind}",
        _WIDTH - 6,
        subsequent_indent="    ",
        break_on_hyphens=False,
        break_long_words=False,
    )
    yield " \\\n".join(head)
    for number, paragraph in enumerate("\n".join(entry.lines).split("\n\n")):
        if number:
            yield ""
        if not paragraph.startswith(".."):
            paragraph = textwrap.fill(
                " ".join(paragraph.split("\n")),
                _WIDTH - 8,
                break_on_hyphens=False,
                break_long_words=False,
            )
        yield textwrap.indent(paragraph, "    ")


def _documented(default: str) -> str:
    """Return a default as docstrings write it: small numbers are powers of ten."""
    if re.fullmatch(r"0\.0+[1-9]", default) and len(default) > 4:
        return f"{default[-1]}e-{len(default) - 2}"
    return default.replace("e-0", "e-").replace('"', "'")


def constructor(cls: type, texts: Texts) -> Sequence[str]:
    """Return the lines of the constructor, below its mark."""
    every, ours = arguments(cls, texts), added(cls)
    signature, starred = [], False
    for argument in every:
        if argument.keyword_only and not starred:
            signature.append("*")
            starred = True
        signature.append(f"{argument.name}={argument.default}")
    passed = [f"{a.name}={a.name}" for a in every if a.name not in ours]
    if takes_any(cls):
        signature.append("**kwargs")
        passed.append("**kwargs")
    return [
        MARK,
        "    def __init__(",
        "        self,",
        *(f"        {text}," for text in signature),
        # Without a type, calls of it would be untyped calls.
        "    ) -> None:",
        "        super().__init__(",
        *(f"            {text}," for text in passed),
        "        )",
        *(f"        self.{name} = {name}" for name in ours),
    ]
