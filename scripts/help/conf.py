"""Sphinx's settings for the pages of Help."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT), str(ROOT / "scripts" / "package")]

from netboot import __version__  # noqa: E402  # the checkout is found through the line above

project = "netboot"
html_title = f"netboot {__version__}"
extensions = ["myst_parser", "directives"]
exclude_patterns = ["decisions/**", "README.md"]
nitpicky = True
smartquotes = False  # in a text, -- begins an option
highlight_language = "text"

myst_heading_anchors = 3
myst_enable_extensions = ["attrs_inline"]

templates_path = ["templates"]
html_theme = "furo"
html_theme_options = {"top_of_page_buttons": []}
html_static_path = ["static"]
html_css_files = ["help.css"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/console.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
html_use_index = False
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
