"""Configuration of Sphinx, see ``make docs``."""

from __future__ import annotations

import atexit
import importlib.metadata
import os
import shutil
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

project = "bioae"
author = "The bioae developers"
copyright = author  # noqa: A001
version = release = importlib.metadata.version("bioae")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "mathml",
    "references",
]
exclude_patterns = ["results", "upstream"]  # upstream: texts for other projects

# Pages.
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

# Notebooks run at each build, without the network, on the digits that come with bioae, and without
# progress bars. Their figures have two pixels per point.
os.environ.pop("BIOAE_DATA", None)
os.environ["TQDM_DISABLE"] = "1"
_profile = Path(tempfile.mkdtemp(prefix="bioae-docs-"))
atexit.register(shutil.rmtree, _profile, ignore_errors=True)
_kernel = _profile / "profile_default/ipython_kernel_config.py"
_kernel.parent.mkdir()
_kernel.write_text("c = get_config()\nc.InlineBackend.figure_formats = {'retina'}\n", "utf-8")
os.environ["IPYTHONDIR"] = str(_profile)
nb_execution_mode = "cache"
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True

# Reference.
default_role = "name"
nitpicky = True
autodoc_default_options = {"members": True, "inherited-members": "dict"}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autosummary_generate = False
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 110
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"bioae {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
