"""How the documentation is built: ``make docs``. Nothing is fetched from a network."""

from __future__ import annotations

import inspect
import re
import sys
import warnings
from pathlib import Path
from typing import Any

from docutils import nodes

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "_extensions"), str(DOCS.parent)]

import fhe_estimators  # noqa: E402

project = "fhe_estimators"
author = "The fhe_estimators developers"
version = release = fhe_estimators.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
    "run",
]
exclude_patterns = ["_build", "examples", "gallery/**/*.md5", "**/*.ipynb"]
templates_path = ["_templates"]
default_role = "py:obj"
# numpydoc refers to properties of parents, which are not on our pages, by name only, and
# takes over texts of scikit-learn on its properties, which refer to its own glossary.
suppress_warnings = ["ref.python", "ref.term"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

# What is in `__all__` of a module is public.
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "none"  # docstrings say more
numpydoc_show_class_members = False  # the template lists those that are ours

html_theme = "pydata_sphinx_theme"
html_title = "fhe_estimators"
html_theme_options = {
    "show_prev_next": False,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
}
html_show_sourcelink = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_signature": False,
    "abort_on_example_error": True,
}

# Folds lie beyond the ranges of others: told of by text of the guide, not in each picture.
warnings.filterwarnings("ignore", message=".* of the numbers lie beyond the ranges")

#: Where the documentation of mirrored classes is, by library.
SITES = {
    "sklearn": "https://scikit-learn.org/stable/modules/generated/{}.html",
    "xgboost": "https://xgboost.readthedocs.io/en/stable/python/python_api.html#{}",
    "lightgbm": "https://lightgbm.readthedocs.io/en/stable/pythonapi/{}.html",
    "interpret": "https://interpret.ml/docs/search.html?q={}",
    "skorch": "https://skorch.readthedocs.io/en/stable/search.html?q={}",
}


def is_skipped(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> Any:
    """Return True for members that a class inherits from another library."""
    function = thing
    for attribute in ("fget", "__func__", "fn"):
        function = getattr(function, attribute, function)
    module = getattr(inspect.unwrap(function), "__module__", None)
    ours = module is None or module.startswith("fhe_estimators")
    return None if ours else True


def link_to_parent(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Return a link to the documentation of a class of another library."""
    target = node.get("reftarget", "")
    site = SITES.get(target.partition(".")[0])
    if site is None or "." not in target:
        return None
    return nodes.reference("", "", content, refuri=site.format(target), internal=False)


def escape_shapes(
    app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Escape names such as ``n_features_in_`` in shapes: they are no references."""
    lines[:] = [
        re.sub(r"shape \(.*?\)", lambda found: re.sub(r"_\b", r"\_", found[0]), line)
        for line in lines
    ]


def setup(app: Any) -> None:
    """Connect what is above."""
    app.connect("autodoc-skip-member", is_skipped)
    app.connect("autodoc-process-docstring", escape_shapes, priority=400)
    app.connect("missing-reference", link_to_parent)
