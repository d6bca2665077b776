"""The start page of a server: its models, what they cost, and what each side learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from fhe_estimators._reports import facts_as_html, learned_as_html
from fhe_estimators.deployment.serving._models import Version

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto;
       padding: 0 1rem; color: #1b1b1b; background: #fff; }
table { border-collapse: collapse; } th { text-align: left; font-weight: 500; }
th, td { padding: .2rem 1rem .2rem 0; border-bottom: 1px solid #ddd; }
code, pre { background: #f4f4f4; padding: .1rem .3rem; } pre { overflow-x: auto; }
section { margin-top: 2rem; border-top: 3px solid #246; }
"""


def headers() -> dict[str, str]:
    """Return the headers of the page: nothing is loaded, and nothing runs."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    return {"Content-Security-Policy": policy, "Cache-Control": "no-store"}


def page(models: Mapping[str, Sequence[Version]], url: str) -> str:
    """Return the page.

    Parameters
    ----------
    models : mapping of str to sequence of Version
        The current version first.
    url : str
        Of the server, for the lines that clients type.
    """
    sections = "".join(_section(name, *versions) for name, versions in models.items())
    example = next(iter(models))
    line = f"fhe-estimators predict --url {url} --model {example} rows.csv"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Encrypted prediction</title><style>{_STYLE}</style></head><body>"
        "<h1>Encrypted prediction</h1><p>This server computes on rows that it cannot "
        "read: clients encrypt them, and they alone can decrypt the results.</p>"
        f"<p>From another machine:</p><pre>{escape(line)}</pre>{sections}</body></html>"
    )


def _section(name: str, current: Version, *older: Version) -> str:
    manifest = current.manifest
    facts = {
        "model": manifest.kind,
        "version": current.digest[:16],
        "older versions": ", ".join(version.digest[:16] for version in older) or "none",
        "security": f"{manifest.security_bits} bits",
        "probability of error": f"{manifest.p_error:g}, of each table, or result",
        "results may be shown to others": "yes" if manifest.results_shared else "no",
        "table look-ups a row": f"{manifest.tables:,}",
        "bytes a row, sent": f"{manifest.row_bytes:,}",
        "bytes a row, received": f"{manifest.result_bytes:,}",
        "bytes of evaluation keys, sent once": f"{manifest.key_bytes:,}",
    }
    return (
        f"<section><h2>{escape(manifest.name)}</h2><p>Address: "
        f"<code>/v2/models/{escape(name)}</code></p>{facts_as_html(facts)}"
        f"{learned_as_html(manifest.learns)}</section>"
    )
