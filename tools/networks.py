"""The page of networks: which modules of torch, operators and cases of ONNX work.

``make networks`` writes it from what the tests check.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fhe_estimators.core.operators import registry

PAGE = Path(__file__).parents[1] / "docs" / "networks.md"

_HEAD = """# Networks and ONNX files: what works

Written by `make networks` from what the tests check.

Files may be of any opset up to 22, of ONNX, ai.onnx.ml, QONNX, and quantized ones: integers
of `QuantizeLinear`, `QLinearConv` and their like are used as they are. Branches and loops
are written out if their course is known; local functions are inlined.
"""
#: What to do where a module is refused.
_CURES = {
    "ArgMax": "It is computed in clear, behind the last layer; not in between.",
    "TopK": "Sorting is computed in clear, behind the last layer; not in between.",
    "size": "It asks for sizes that are not known when the file is read.",
}
_DOMAINS = {"": "ONNX", "ai.onnx.ml": "ai.onnx.ml", "com.microsoft": "onnxruntime"}


def page(
    zoo: Mapping[str, Any],
    figures: Mapping[str, Mapping[str, float]],
    refusals: Mapping[str, Any],
    others: Any,
) -> str:
    """Return the page.

    Parameters
    ----------
    zoo : mapping of str to tuple
        Modules of torch: group, how they are built, shape, refusal, first opset.
    figures : mapping of str to mapping
        What the tests measured of modules that work.
    refusals : mapping of str to (type, str)
        Patterns of cases of ONNX that are refused, each with the error.
    others : mapping of str to str
        Cases of ONNX that have another result, each with the reason.
    """
    n_works = sum(not entry.refused for entry in zoo.values())
    lines = [
        _HEAD,
        "## Modules of torch\n",
        f"{n_works} of {len(zoo)} modules work, exported with opsets 11 to 20 as far as "
        "torch exports\nthem: simulated circuits give exactly what the integers in clear "
        'give. "In between" means\nbetween two layers with weights.\n\n'
        "The error is that of outputs beside floating point, as a part of their standard\n"
        "deviation, on the 60 rows of calibration: with 8 and with 6 bits in all parts "
        "(`n_bits`\nand `rounding_bits`). Look-ups are those of a row at 6 bits: tables, "
        "and those of one\nbit that round in front of them, which cost about a tenth. "
        '`rounding_bits="auto"` takes\nfewer.\n',
        "| kind | module | encrypted | error, 8 bits | 6 bits | look-ups | from opset |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, entry in zoo.items():
        cure = next((text for key, text in _CURES.items() if key in entry.refused), "")
        result, measured = f"refused: {cure}", "| |"
        if not entry.refused:
            known = figures[name]
            result = "works"
            measured = (
                f"{known['8']:.3f} | {known['6']:.3f} | "
                f"{known['tables']:,} + {known['removed']:,}"
            )
        lines.append(f"| {entry.group} | {name} | {result} | {measured} | {entry.since} |")
    lines.append("\n## Operators\n")
    for domain, title in _DOMAINS.items():
        ours = {name: cls for name, cls in registry().items() if cls.domain == domain}
        inside = [name for name, cls in ours.items() if cls.encrypted or cls.body]
        ends = [name for name in ours if name not in inside]
        lines.append(f"{title}, encrypted: {', '.join(inside)}.\n")
        if ends:
            lines.append(f"{title}, in clear before or behind: {', '.join(ends)}.\n")
    lines += ["## ONNX's own data for operators\n", "All cases give ONNX's results, but:\n"]
    lines += ["| cases | why |", "|---|---|"]
    for pattern, (_, message) in refusals.items():
        escaped, reason = pattern.replace("|", "\\|"), message.replace("|", " or ")
        lines.append(f"| `{escaped}` | refused: {reason} |")
    lines += [f"| `{name}` | {reason} |" for name, reason in others.items()]
    return "\n".join(lines) + "\n"
