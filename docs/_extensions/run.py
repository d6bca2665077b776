"""The directive `run`: a program of a page, and what it prints when the page is built."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Run(SphinxDirective):
    """Execute the content, and show it above its output.

    Programs of one page share their names. The option ``hidden`` leaves out the program,
    ``markup`` reads the output as text of the page.
    """

    has_content = True
    option_spec = {"hidden": directives.flag, "markup": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the program and of its output."""
        source = "\n".join(self.content)
        names: dict[str, Any] = self.env.temp_data.setdefault("names_of_programs", {})
        path, line = self.get_source_info()
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(source, f"{path}, line {line}", "exec"), names)
        found: list[nodes.Node] = []
        if "hidden" not in self.options:
            found.append(nodes.literal_block(source, source, language="python"))
        if "markup" in self.options:
            found += self.parse_text_to_nodes(
                output.getvalue(), allow_section_headings=True
            )
        elif output.getvalue():
            text = output.getvalue().rstrip()
            found.append(nodes.literal_block(text, text, language="text"))
        return found


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("run", Run)
    return {"parallel_read_safe": True}
