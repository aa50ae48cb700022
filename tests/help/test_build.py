"""The pages of Help as they are built: nothing dead, nothing that the policy refuses."""

import json
import re
import runpy
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from tests.help.built_pages import ROOT, anchors, page, pages

TEMPLATES = ROOT / "web" / "templates"
CHAPTERS = {
    *("index", "search", "install", "network", "windows-pe", "drivers", "operate", "monitoring"),
    "postgresql",
    *("troubleshoot", "behind-a-proxy", "security", "explanation/boot", "explanation/image"),
    *("reference/settings", "reference/commands", "reference/api"),
}


def test_every_chapter_is_built(help_folder):
    """A warning of Sphinx would have ended the build: links, references, pages in no list."""
    assert set(pages(help_folder)) == CHAPTERS


def test_every_page_is_in_the_navigation(help_folder):
    links = page(help_folder, "index").select(".sidebar-tree a[href]")
    assert {link["href"].removesuffix(".html") for link in links} == CHAPTERS - {"index", "search"}


def test_no_link_is_dead(help_folder):
    """Pages, files and anchors within Help exist; the one way out of it leads to the console."""
    dead = []
    for name in pages(help_folder):
        for tag, attribute in (("a", "href"), ("img", "src"), ("link", "href"), ("script", "src")):
            for found in page(help_folder, name).select(f"{tag}[{attribute}]"):
                target = urljoin(f"/help/{name}.html", found[attribute])
                parts = urlsplit(target)
                if parts.netloc or target == "/":
                    continue
                path = help_folder / parts.path.removeprefix("/help/")
                if not parts.path.startswith("/help/") or not path.is_file():
                    dead.append((name, target))
                elif parts.fragment and path.suffix == ".html":
                    other = path.relative_to(help_folder).with_suffix("").as_posix()
                    if parts.fragment not in anchors(help_folder, other):
                        dead.append((name, target))
    assert dead == []


def test_no_page_has_what_the_policy_refuses(help_folder):
    """The console allows no scripts or styles in a page, and nothing from elsewhere."""
    for name in pages(help_folder):
        found = page(help_folder, name)
        assert found.select("script:not([src]), style, [style], base, iframe, object") == [], name
        handlers = [one for tag in found.find_all() for one in tag.attrs if one.startswith("on")]
        assert handlers == [], name
        for tag in found.select("script[src], img[src], link[href]"):
            address = tag.get("src") or tag["href"]
            assert not urlsplit(address).netloc, (name, address)


def test_no_style_or_script_loads_from_elsewhere(help_folder):
    for path in [*help_folder.rglob("*.css"), *help_folder.rglob("*.js")]:
        text = path.read_text()
        assert not re.search(r"url\(['\"]?(?:https?:)?//|@import", text), path
        assert "eval(" not in text.replace("eval(jscode)", ""), path


def test_nothing_of_the_machine_that_built_it_is_left(help_folder):
    """No path of a checkout, no sources, no file that nobody reads."""
    names = [path.relative_to(help_folder).as_posix() for path in help_folder.rglob("*")]
    assert not [name for name in names if name.endswith((".map", ".inv", ".buildinfo", ".pickle"))]
    for path in help_folder.rglob("*.html"):
        assert str(ROOT) not in path.read_text(), path


def test_the_licences_of_scripts_and_styles_come_along(help_folder):
    licences = help_folder / "_static" / "licenses"
    for name in ("sphinx", "furo", "sphinx-basic-ng", "snowballstemmer"):
        assert "Redistribution" in (licences / f"{name}.txt").read_text() or (
            "Permission is hereby granted" in (licences / f"{name}.txt").read_text()
        )


def topics():
    """What the console's pages link to, and the templates that do."""
    found = {}
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text()
        for topic in re.findall(r'set help_topic = "([^"]+)"|help_url\("([^"]+)"\)', text):
            found.setdefault(topic[0] or topic[1], path.name)
    return found


def test_what_the_console_links_to_exists(help_folder):
    """Chapter and anchor of each page's Help; no template names an address by itself."""
    linked = topics()
    assert len(linked) > 10
    for topic, template in linked.items():
        name, _, anchor = topic.partition("#")
        assert name in CHAPTERS, (template, topic)
        assert not anchor or anchor in anchors(help_folder, name), (template, topic)
    for path in TEMPLATES.rglob("*.html"):
        assert 'href="/help' not in path.read_text(), path


def test_the_search_finds_words_of_every_chapter(help_folder):
    """The index is one file, which the browser reads."""
    text = (help_folder / "searchindex.js").read_text()
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    assert {*index["docnames"]} == CHAPTERS - {"search"}
    assert {"relay", "snoop", "vmd"} <= set(index["terms"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[words](SECURITY.md)", "[words](../security.md)"),
        ("[words](docs/operate.md#upgrade)", "[words](../operate.md#upgrade)"),
        ("[words](CONTRIBUTING.md)", "words"),
        ("[words](docs/decisions/README.md)", "words"),
        ("[words](https://example.org/)", "[words](https://example.org/)"),
    ],
)
def test_links_of_other_papers_become_those_of_help(monkeypatch, text, expected):
    """What is no page of Help stays as its words."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "package"))
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "help"))
    relinked = runpy.run_path(str(ROOT / "scripts" / "help" / "directives.py"))["relinked"]
    page_there = ROOT / "docs" / "explanation" / "boot.md"
    assert relinked(text, ROOT / "ARCHITECTURE.md", page_there) == expected


def test_a_part_that_is_gone_ends_the_build(monkeypatch):
    """A heading that was renamed is not passed over in silence."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "package"))
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "help"))
    section = runpy.run_path(str(ROOT / "scripts" / "help" / "directives.py"))["section"]
    assert section("# A\n\none\n\n## B\n\ntwo\n", "A", "B") == "one"
    with pytest.raises(ValueError, match="no heading 'C'"):
        section("# A\n\none\n", "C", "")


def test_papers_without_pages_are_not_in_help(help_folder):
    """Decisions are for who changes the code."""
    assert not (help_folder / "decisions").exists()
    assert Path(ROOT / "docs" / "decisions").is_dir()
