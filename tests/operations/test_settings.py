"""Settings: read, told apart by where they come from, changed."""

import pytest

from netboot.config import Settings, load_settings
from netboot.errors import EditConflict, InvalidInput, NotPermitted
from netboot.operations import settings
from netboot.site import Site

FILE = '# the lab\nweb_port = 9000  # was taken\nrelays = ["10.2.0.0/16"]\n'


def test_what_the_system_says_is_shown_as_its_own(site, monkeypatch, tmp_path):
    """Until the site's file overrides it; removing that leaves the system's value."""
    (tmp_path / "etc.toml").write_text("http_port = 9001\n")
    monkeypatch.setenv("NETBOOT_DEFAULTS", str(tmp_path / "etc.toml"))
    assert (one(site, "http_port").text, one(site, "http_port").origin) == ("9001", "system")
    settings.change_settings(site, {"http_port": "9002"})
    assert (one(site, "http_port").text, one(site, "http_port").origin) == ("9002", "file")
    settings.change_settings(site, {"http_port": ""})
    assert one(site, "http_port").text == "9001"


def one(site, name):
    return next(each for each in settings.read_settings(site).settings if each.name == name)


def test_each_setting_says_where_it_comes_from(site, monkeypatch):
    """Default, file, or variable."""
    (site.data / "netboot.toml").write_text(FILE)
    monkeypatch.setenv("NETBOOT_HTTP_PORT", "9001")

    assert (one(site, "web_port").text, one(site, "web_port").origin) == ("9000", "file")
    assert (one(site, "http_port").text, one(site, "http_port").origin) == ("9001", "variable")
    assert (
        one(site, "web_address").text,
        one(site, "web_address").origin,
    ) == ("127.0.0.1", "default")
    assert set(Settings.model_fields) - {"data"} == {
        each.name for each in settings.read_settings(site).settings
    }


def test_a_change_keeps_the_files_comments(site):
    """The file stays the administrator's own."""
    (site.data / "netboot.toml").write_text(FILE)
    assert str(site.settings.web_port) == "9000"
    changed = settings.change_settings(site, {"web_port": "9002", "relays": "10.3.0.0/16\n"})

    text = (site.data / "netboot.toml").read_text()
    assert "# the lab" in text
    assert "# was taken" in text
    assert load_settings(site.data).relays == ["10.3.0.0/16"]
    assert tuple(sorted(changed.pending)) == ("relays", "web_port")


def test_a_conflict_tells_what_was_what_was_sent_and_what_stands_there(site):
    """For what was sent; a secret is never repeated, and nothing is written."""
    before = settings.read_settings(site)
    base = {each.name: each.text for each in before.settings}
    settings.change_settings(site, {"web_port": "9002", "oidc_label": "Theirs"})
    texts = {**base, "web_port": "9001", "oidc_client_secret": "mine"}
    with pytest.raises(EditConflict) as conflict:
        settings.change_settings(site, texts, etag=before.etag, base=base)
    told = {one.field: (one.base, one.yours, one.theirs) for one in conflict.value.difference}

    assert told["web_port"] == ("8080", "9001", "9002")
    assert (base["oidc_label"], base["oidc_label"], "Theirs") == told["oidc_label"]
    assert told["oidc_client_secret"] == ("", settings.HIDDEN, "")
    assert len(told) == 3
    assert load_settings(site.data).web_port == 9002


def test_an_empty_text_takes_a_setting_back_to_its_default(site):
    """Its line leaves the file."""
    (site.data / "netboot.toml").write_text(FILE)
    settings.change_settings(site, {"web_port": " "})

    assert load_settings(site.data).web_port == 8080
    assert "web_port" not in (site.data / "netboot.toml").read_text()


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"web_port": "99999"}, "web_port"),
        ({"web_port": "x"}, "is a number"),
        ({"address": "not an address"}, "address"),
        ({"colour": "blue"}, "no setting 'colour'"),
        ({"relays": "somewhere"}, "relays"),
    ],
)
def test_what_a_start_would_refuse_is_refused_at_once(site, texts, words):
    """And the file stays as it was."""
    (site.data / "netboot.toml").write_text(FILE)
    with pytest.raises(InvalidInput, match=words):
        settings.change_settings(site, texts)

    assert (site.data / "netboot.toml").read_text() == FILE
    assert [path.name for path in site.data.iterdir() if "try" in path.name] == []


def test_what_a_variable_sets_cannot_be_changed_here(site, monkeypatch):
    """It would not count, so it is not written."""
    monkeypatch.setenv("NETBOOT_WEB_PORT", "9001")

    with pytest.raises(NotPermitted, match="NETBOOT_WEB_PORT"):
        settings.change_settings(site, {"web_port": "9002"})
    settings.change_settings(site, {"web_port": "9001"})


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(site):
    """The etag names the file as it was shown."""
    shown = settings.read_settings(site).etag
    settings.change_settings(site, {"web_port": "9002"}, etag=shown)

    with pytest.raises(EditConflict):
        settings.change_settings(site, {"web_port": "9003"}, etag=shown)


def test_a_password_in_a_url_is_not_shown(site):
    """And saving the form leaves it as it is."""
    line = 'database_url = "postgresql://netboot:secret@db/netboot"\n'
    (site.data / "netboot.toml").write_text(line)
    shown = one(site, "database_url").text
    settings.change_settings(site, {"database_url": shown, "web_port": "9002"})

    assert shown == "postgresql://netboot:***@db/netboot"
    assert line in (site.data / "netboot.toml").read_text()


def test_a_file_that_is_no_toml_is_named(tmp_path):
    """With what to do."""
    site = Site.open(tmp_path / "data")
    (site.data / "netboot.toml").write_text("web_port = ")

    with pytest.raises(InvalidInput, match="netboot.toml"):
        settings.read_settings(site)


def test_block_sizes_are_written_as_lines(site: Site) -> None:
    """A network and its size; a text that is no number is refused."""
    settings.change_settings(site, {"tftp_block_sizes": "10.2.0.0/16 = 1380\n0.0.0.0/0 = 1400\n"})
    assert load_settings(site.data).tftp_block_sizes == {"10.2.0.0/16": 1380, "0.0.0.0/0": 1400}

    with pytest.raises(InvalidInput, match="tftp_block_sizes"):
        settings.change_settings(site, {"tftp_block_sizes": "10.2.0.0/16 = small"})


LINES = "interface=eth1 response_delay=2.5 only_known=yes\nsubnet=10.8.0.0/16 allowed=no"


def test_networks_are_written_one_a_line_and_stored_as_tables(site):
    """What is added later goes before the tables, not into them."""
    (site.data / "netboot.toml").write_text(FILE)
    settings.change_settings(site, {"networks": LINES})
    settings.change_settings(site, {"http_port": "9001", "networks": f"{LINES} block_size=1380"})
    loaded = load_settings(site.data)

    assert (site.data / "netboot.toml").read_text().count("[[networks]]") == 2
    assert (loaded.http_port, loaded.networks[0].response_delay) == (9001, 2.5)
    assert (loaded.networks[1].subnet, loaded.networks[1].allowed) == ("10.8.0.0/16", False)
    assert one(site, "networks").text == f"{LINES} block_size=1380"
    settings.change_settings(site, {"networks": ""})
    assert load_settings(site.data).networks == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("eth1", "'eth1' is not one of interface"),
        ("interface=eth1 delay=2", "'delay=2' is not one of"),
        ("interface=eth1 allowed=perhaps", "'allowed=perhaps' has no such value"),
        ("interface=eth1 block_size=many", "'block_size=many' has no such value"),
        ("interface=eth1 block_size=12", "a block has 512 to 65464 bytes, not 12"),
        ("interface=eth1\ninterface=eth1", "there are two networks eth1"),
        ("allowed=yes", "a network needs an interface or a subnet"),
    ],
)
def test_a_network_that_cannot_be_is_refused_with_its_word(site, line, words):
    with pytest.raises(InvalidInput, match=words):
        settings.change_settings(site, {"networks": line})
