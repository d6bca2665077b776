"""Bundles in words."""

from __future__ import annotations

import textwrap
from pathlib import Path

from fhe_estimators.deployment._bundle import Bundle

_WIDTH = 88


def describe(path: str | Path) -> str:
    """Return what a bundle is, what it costs, and what each side learns, as text.

    Parameters
    ----------
    path : str or Path
        Of a ``client.zip`` or ``server.zip``.

    Returns
    -------
    text : str

    Raises
    ------
    FormatError
        If it is none that this package wrote.
    """
    bundle = Bundle.load(path)
    manifest = bundle.manifest
    shared = "yes" if manifest.results_shared else "no"
    facts = {
        "for the": manifest.role,
        "model": f"{manifest.kind}, {manifest.digest.hex()[:16]}",
        "format": manifest.format,
        "made with": ", ".join(
            f"{package} {version}" for package, version in sorted(manifest.versions.items())
        ),
        "security": f"{manifest.security_bits} bits",
        "p_error": f"{manifest.p_error:g}, of each table, or result",
        "results may be shown to others": shared,
        "tables a row": manifest.tables,
        "bytes a row: sent, received": f"{manifest.row_bytes}, {manifest.result_bytes}",
        "bytes of evaluation keys": manifest.key_bytes,
        "family of keys": manifest.family[:16],
        "files": ", ".join(f"{name} ({len(part)})" for name, part in bundle.parts.items()),
    }
    lines = [manifest.name, *(f"  {label:<32} {value}" for label, value in facts.items())]
    for side, learned in manifest.learns.items():
        lines += ["", f"What the {side} learns:"]
        lines += [
            textwrap.fill(sentence, _WIDTH, initial_indent="  - ", subsequent_indent="    ")
            for sentence in learned
        ]
    return "\n".join(lines)
