"""Every page of a console, found by following its links, and every form on them.

What links lead to is held against the application's own list of routes: no page is forgotten.
"""

import contextlib
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
from werkzeug.exceptions import MethodNotAllowed, NotFound

import web
from web.app import create_app

TEMPLATES = Path(web.__file__).parent / "templates"
MADE = "\0"
"""Stands for what a template leaves open."""

TEXT_TYPES = {"text", "search", "url", "email", "password", "number", "tel"}
ASIDE = ("/assets/", "/live", "/sign-in", "/setup", "/api/", "/metrics", "/help")
"""What is no page of the console, or ends the session. Help has tests of its own."""


NO_PAGES = {
    "accounts.setup_page": "there only until somebody was made",
    "accounts.sign_in_page": "before the session; visited by itself",
    "assets.asset": "files",
    "help_pages.show": "the documentation, which tests/help looks at",
    "images.import_name": "a sentence for the form of an import",
    "images.driver_choices": "a part of the image's page, opened in its dialog",
    "jobs.screenshot": "a picture",
    "live.part": "a part of a page, which its script fetches",
    "live.stream": "the stream of every page",
    "metrics.read": "for Prometheus",
    "single_sign_on.begin": "leads to another site",
    "single_sign_on.callback": "comes from another site",
    "uploads.head": "of the protocol of uploads",
    "versions.download": "a file",
}
"""Views that answer GET and are no pages to look at, and what they are."""


@dataclass
class Form:
    """A form as a browser would send it: where to, how, and with which values."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    """Collects links and forms of one page."""

    def __init__(self, url):
        super().__init__()
        self.url = url
        self.links = []
        self.forms = []
        self._inside = False
        self._select = ""
        self._textarea = ""

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "a" and found.get("href"):
            self.links.append(urljoin(self.url, found["href"]))
        if tag == "form":
            self._inside = True
            self.forms.append(Form(urljoin(self.url, found.get("action") or self.url),
                                   (found.get("method") or "get").lower()))  # fmt: skip
        if self._inside and found.get("name") and "disabled" not in found:
            self._field(tag, found)
        if tag == "option" and self._select and ("selected" in found or not self._chosen()):
            self.forms[-1].values[self._select] = found.get("value") or ""

    def _field(self, tag, found):
        form, name = self.forms[-1], found["name"]
        if tag == "input":
            kind = found.get("type", "text")
            if kind in {"checkbox", "radio"} and "checked" not in found:
                return
            form.values[name] = found.get("value") or ""
            if kind in TEXT_TYPES and "readonly" not in found:
                form.texts.append(name)
        elif tag == "textarea":
            form.values[name] = ""
            self._textarea = name
            if "readonly" not in found:
                form.texts.append(name)
        elif tag == "select":
            self._select = name

    def _chosen(self):
        return self._select in self.forms[-1].values

    def handle_endtag(self, tag):
        if tag == "form":
            self._inside = False
        if tag == "select":
            self._select = ""
        if tag == "textarea":
            self._textarea = ""

    def handle_data(self, data):
        if self._textarea:
            self.forms[-1].values[self._textarea] += data


@dataclass
class Page:
    """One page: its path, with its query where that matters, and the forms on it."""

    path: str
    forms: list[Form]


def every_page(client: httpx.Client, also=(), each=1, first=()):
    """A page for every kind of address that links lead to, the distribution points first.

    They lead to images that have versions; the overview leads to one that has none yet. Addresses
    are of one kind when they differ only in what names a thing: a slug, a digest, a number. `each`
    of every kind are visited, of `first` before all others; `also` are paths that no link leads to.
    """
    waiting, seen, pages = [*first, "/distribution-points/", "/"], {}, []
    while waiting:
        path = waiting.pop(0)
        kind = kind_of(path)
        if path in seen.get(kind, ()) or len(seen.setdefault(kind, [])) >= each:
            continue
        seen[kind].append(path)
        page, links = _visit(client, path)
        if page:
            pages.append(page)
            waiting += links
    visited = {page.path for page in pages}
    more = (_visit(client, path)[0] for path in also if path not in visited)
    return [*pages, *filter(None, more)]


def _visit(client, path):
    """The page, and the addresses of this site that it leads to; None for what is no page."""
    answer = client.get(path, follow_redirects=True)
    if not answer.headers.get("content-type", "").startswith("text/html"):
        return None, []
    reader = _Reader(path)
    reader.feed(answer.text)
    links = [
        link
        for link in dict.fromkeys(reader.links)
        if not urlsplit(link).netloc and not link.startswith(ASIDE) and "#" not in link
    ]
    return Page(path, reader.forms), links


def kind_of(path):
    """The address with what names a single thing taken out of it.

    Below a list, whatever has a digit, a dash or a percent sign in it is a name.
    """
    parts = urlsplit(path)
    words = [
        "*" if re.search(r"[0-9%-]", word) and number > 1 else word
        for number, word in enumerate(parts.path.split("/"))
    ]
    fields = "&".join(sorted(re.findall(r"(\w+)=", parts.query)))
    return "/".join(words) + ("?" + fields if fields else "")


def pages_of(site):
    """Names of the views that show a page to people."""
    rules = create_app(site).url_map.iter_rules()
    reads = {rule.endpoint for rule in rules if "GET" in rule.methods}
    return {name for name in reads - set(NO_PAGES) if not re.match(r"api\.|api_(?!guide)", name)}


class Views:
    """The application's views by their addresses."""

    def __init__(self, site):
        self._adapter = create_app(site).url_map.bind("localhost")

    def at(self, path, method="GET"):
        """The name of the view that answers; empty where none does."""
        with contextlib.suppress(NotFound, MethodNotAllowed):
            return self._adapter.match(urlsplit(path).path, method=method)[0]
        return ""


def fields_of_templates():
    """Names of all text fields that templates have, but those that are named when they are made."""
    found = set()
    for path in TEMPLATES.rglob("*.html"):
        text = re.sub(r"\{[{%#].*?[}%#]\}", MADE, path.read_text(), flags=re.DOTALL)
        for tag, rest in re.findall(r"<(input|textarea)\b([^>]*)>", text):
            attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', rest))
            name = attributes.get("name", MADE)
            is_text = tag == "textarea" or attributes.get("type", "text") in TEXT_TYPES
            if is_text and MADE not in name and "readonly" not in rest:
                found.add(name)
    return found
