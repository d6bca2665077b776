"""Blocks of code on pages of text, and how they run: for tests of the README and docs."""

import doctest
import re
import shlex

from fhe_estimators import cli
from tests.sources import ROOT

DOCS = ROOT / "docs"


def blocks(text, language):
    """Return the fenced blocks of code in a language, without options of directives."""
    found = re.findall(
        rf"^```(?:{language})\n((?::\w+:.*\n)*)(.*?)^```$", text, re.DOTALL | re.MULTILINE
    )
    return [code for _, code in found]


def programs(text):
    """Return the blocks that run.

    Those of Python, those that run as a page is built, and our commands.
    """
    return blocks(text, r"python|\{run\}|console(?=\n\$ fhe-estimators )")


def run(text, name):
    """Run one block after the other, as somebody would who reads from top to bottom.

    Returns the names that they leave behind. Blocks with prompts are doctests.
    """
    names = {}
    for number, block in enumerate(programs(text), 1):
        where = f"{name}, block {number}"
        if block.startswith("$ fhe-estimators "):
            for line in block.splitlines():
                assert cli.main(shlex.split(line)[2:]) == 0, f"{where}: {line}"
            continue
        if not block.startswith(">>>"):
            exec(compile(block, where, "exec"), names)
            continue
        test = doctest.DocTestParser().get_doctest(block, names, where, where, 0)
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        runner = doctest.DocTestRunner(optionflags=flags)
        report = []
        runner.run(test, out=report.append, clear_globs=False)
        names.update(test.globs)
        assert not runner.failures, "".join(report)
    return names


def pages():
    """Return the pages of the documentation that somebody has written."""
    return [
        path
        for path in sorted(DOCS.rglob("*.md"))
        if not {"_build", "api", "gallery"} & set(path.relative_to(DOCS).parts[:-1])
    ]


def tier(text):
    """Return the tier of a page's blocks: do they encrypt, compile, or neither?"""
    code = "\n".join(programs(text))
    if re.search(r'"execute"|n_encrypted|keygen\(|\.encrypt\(', code):
        return "fhe"
    compiled = r'"simulate"|cost\(|fhe-estimators|compile\w*\(|save_deployment\(|stages\('
    return "simulate" if re.search(compiled, code) else "clear"
