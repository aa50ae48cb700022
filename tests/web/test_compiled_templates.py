"""Templates are compiled once for a site, whatever happens to the files that keep them."""

import shutil

import pytest
from flask import Flask
from jinja2 import DictLoader

from web.compiled_templates import keep_compiled


def app_with(folder, text="Hello {{ name }}"):
    app = Flask("test")
    app.jinja_loader = DictLoader({"page.html": text})
    keep_compiled(app, folder)
    return app


def page(app):
    return app.jinja_env.get_template("page.html").render(name="lab")


@pytest.fixture
def uncompilable(monkeypatch):
    """From here on no template can be compiled."""

    def stop(*_, **__):
        raise AssertionError("compiled again")

    return lambda app: monkeypatch.setattr(app.jinja_env, "compile", stop)


def test_the_next_process_does_not_compile_them(tmp_path, uncompilable):
    assert page(app_with(tmp_path / "kept")) == "Hello lab"
    later = app_with(tmp_path / "kept")
    uncompilable(later)
    assert page(later) == "Hello lab"


def test_a_template_of_a_later_release_is_compiled(tmp_path):
    page(app_with(tmp_path / "kept"))
    assert page(app_with(tmp_path / "kept", "Bye {{ name }}")) == "Bye lab"


@pytest.mark.parametrize("damage", [b"", b"j2", b"\0" * 200])
def test_a_damaged_file_is_compiled_again(tmp_path, damage):
    page(app_with(tmp_path / "kept"))
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_bytes(kept.read_bytes()[:200] + damage)
    assert page(app_with(tmp_path / "kept")) == "Hello lab"


def test_where_nothing_can_be_kept_pages_are_served_all_the_same(tmp_path):
    """As on a full disk: here a file is in the way."""
    (tmp_path / "kept").write_text("")
    assert page(app_with(tmp_path / "kept")) == "Hello lab"


def test_a_folder_that_vanishes_is_no_fault(tmp_path):
    app = app_with(tmp_path / "kept")
    shutil.rmtree(tmp_path / "kept")
    assert page(app) == "Hello lab"
