"""What the pages of docs/ may ask for beyond Markdown: generated references, parts of other files.

```{generated} settings            ```{part-of} ../SECURITY.md
```                                :from: What can be attacked
                                   :to: Not promised
                                   ```
"""

import re
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from references import TEXTS
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]

PAGES = {
    "SECURITY.md": "security.md",
    "netboot/boot/README.md": "explanation/boot.md",
}
"""Files outside docs/ that a page of Help contains."""

LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)")
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)


class Generated(SphinxDirective):
    """A reference that is made from the code when the page is built."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()  # the code is no file that Sphinx watches
        text = "\n".join(TEXTS[self.arguments[0]]())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class PartOf(SphinxDirective):
    """Sections of a Markdown file of the repository: after the heading `from`, before `to`."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {
        "from": directives.unchanged,
        "to": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        page = Path(self.env.doc2path(self.env.docname))
        path = (page.parent / self.arguments[0]).resolve()
        self.env.note_dependency(str(path))
        text = section(path.read_text(), self.options.get("from", ""), self.options.get("to", ""))
        return self.parse_text_to_nodes(relinked(text, path, page), allow_section_headings=True)


def section(text: str, first: str, last: str) -> str:
    """What is between two headings. Raises ValueError if there is no such heading."""
    headings = {found[2]: found for found in HEADING.finditer(text)}
    for wanted in filter(None, (first, last)):
        if wanted not in headings:
            raise ValueError(f"no heading {wanted!r}")
    start = headings[first].end() if first else next(iter(headings.values())).end()
    end = headings[last].start() if last else len(text)
    return text[start:end].strip()


def relinked(text: str, path: Path, page: Path) -> str:
    """Links as the page needs them; one to a file that is no page of Help stays as its words."""

    def link(found: re.Match[str]) -> str:
        words, target, anchor = found.groups()
        file = (path.parent / target).resolve()
        name = file.relative_to(ROOT).as_posix()
        file = ROOT / "docs" / PAGES[name] if name in PAGES else file
        is_page = file.suffix == ".md" and (ROOT / "docs") in file.parents
        if not is_page or "decisions" in file.parts:
            return words
        up = "../" * (len(page.relative_to(ROOT / "docs").parts) - 1)
        return f"[{words}]({up}{file.relative_to(ROOT / 'docs').as_posix()}{anchor or ''})"

    return LINK.sub(link, text)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("generated", Generated)
    app.add_directive("part-of", PartOf)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
