"""How the site is built."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

import pages  # noqa: E402
import taut  # noqa: E402

pages.write_api(taut, HERE / "api")

project, author = "taut", "The taut developers"
version = release = taut.__version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.mermaid",
]
exclude_patterns = ["_build", "extensions"]
default_role = "py:obj"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]
# Pages of the repository link to its files, which are no pages.
suppress_warnings = ["mystnb.mime_priority", "mystnb.unknown_mime_type"]

# TAUT_DOCS=still builds the pages without running them.
nb_execution_mode = "off" if os.environ.get("TAUT_DOCS") == "still" else "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_custom_formats = {".md": "pages.read"}
nb_execution_excludepatterns = [
    str(page.relative_to(HERE))
    for page in HERE.rglob("*.md")
    if not pages.has_code(page.read_text())
]

numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"

html_theme = "pydata_sphinx_theme"
html_title = "taut"
html_static_path = ["_static"]
html_css_files = ["taut.css"]
html_sidebars = {"index": []}
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
