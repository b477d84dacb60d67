"""Configuration of Sphinx, see ``make docs``."""

from __future__ import annotations

import importlib.metadata

project = "bioae"
author = "The bioae developers"
copyright = author  # noqa: A001
version = release = importlib.metadata.version("bioae")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
napoleon_google_docstring = False
autodoc_typehints = "signature"

html_theme = "furo"
html_title = f"bioae {version}"
html_static_path = ["static"]
html_css_files = ["math.css"]
