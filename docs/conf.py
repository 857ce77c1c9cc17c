"""Configuration of the docs' build: `make docs`."""

import os
import sys
from pathlib import Path

from sphinx.ext import autosummary

import pymc_ebm

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "pymc_ebm"
author = "The pymc_ebm developers"
copyright = author
version = release = pymc_ebm.__version__

extensions = [
    "drawn_math",
    "every_error",
    "thumbnails",
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
templates_path = ["_templates"]

# Links to other projects need the network: DOCS_INTERSPHINX=1 make docs.
if os.environ.get("DOCS_INTERSPHINX"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "arviz": ("https://python.arviz.org/en/stable/", None),
        "numpy": ("https://numpy.org/doc/stable/", None),
        "pymc": ("https://www.pymc.io/projects/docs/en/stable/", None),
        "pytensor": ("https://pytensor.readthedocs.io/en/latest/", None),
        "xarray": ("https://docs.xarray.dev/en/stable/", None),
    }

# Pages
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
# docs/notebooks is a link to notebooks/. `make docs` has run them; what has not is run here, and an
# error fails the build.
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

# API
autosummary_generate = True
# A summary is the first sentence, and the point of these ends none.
autosummary.WELL_KNOWN_ABBREVIATIONS += ("eq.", "eqs.")
autodoc_typehints = "none"
# Single backticks are links where the name is one, and plain otherwise (parameters, say).
default_role = "autolink"
nitpick_ignore_regex = [("py:obj", ".*")]
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_math_renderer = "drawn"
html_theme = "pymc_sphinx_theme"
html_title = "pymc_ebm"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {
    # The theme's own choices lead to PyMC's site: its search, icons, donations and analytics.
    "use_search_override": False,
    "google_analytics_id": "",
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc", "sourcelink"],
    "show_prev_next": True,
    "footer_start": [],
    "footer_end": [],
}
