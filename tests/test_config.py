from pathlib import Path

import pytest

from netboot.config import Settings, load_settings
from netboot.errors import InvalidInput


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    """The environment of whoever runs the tests does not count."""
    import os

    for name in list(os.environ):
        if name.startswith("NETBOOT_"):
            monkeypatch.delenv(name)


def write(folder, text):
    (folder / "netboot.toml").write_text(text)
    return folder


def test_nothing_needs_to_be_written_down(tmp_path):
    """An empty data folder has settings: the page for this machine alone, SQLite."""
    settings = load_settings(tmp_path)

    assert (tmp_path, "127.0.0.1", 8080, 8081, "") == (
        settings.data,
        settings.web_address,
        settings.web_port,
        settings.http_port,
        settings.database_url,
    )


def test_the_file_overrides_defaults_and_the_environment_overrides_the_file(tmp_path, monkeypatch):
    """As the first line of the module says."""
    write(tmp_path, 'web_port = 9000\nhttp_port = 9001\nrelays = ["10.2.0.0/16", "10.3.0.1"]\n')
    monkeypatch.setenv("NETBOOT_HTTP_PORT", "9002")
    monkeypatch.setenv("NETBOOT_TRUSTED_HOSTS", '["boot.example"]')
    settings = load_settings(tmp_path)

    assert (
        settings.web_port,
        settings.http_port,
        settings.relays,
        settings.trusted_hosts,
    ) == (9000, 9002, ["10.2.0.0/16", "10.3.0.1"], ["boot.example"])


def test_an_installed_system_has_a_file_that_the_sites_own_overrides(tmp_path, monkeypatch):
    """Value by value; a mistake names the file that it is in."""
    system = tmp_path / "etc.toml"
    system.write_text('web_port = 9000\ninterface = "eth0"\n')
    monkeypatch.setenv("NETBOOT_DEFAULTS", str(system))
    write(tmp_path, "web_port = 9100\n")
    settings = load_settings(tmp_path)
    assert (settings.web_port, settings.interface) == (9100, "eth0")

    system.write_text("web_prot = 9000\n")
    with pytest.raises(InvalidInput, match="web_prot") as fault:
        load_settings(tmp_path)
    assert str(system) in fault.value.hint


def test_the_data_folder_is_the_one_that_was_opened(tmp_path, monkeypatch):
    """Neither file nor environment can point elsewhere: the file lies in that folder."""
    write(tmp_path, 'data = "/elsewhere"\n')
    monkeypatch.setenv("NETBOOT_DATA", "/somewhere")

    assert tmp_path == load_settings(tmp_path).data


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("web_port = 0\n", "web_port"),
        ("web_port = 70000\n", "web_port"),
        ('web_port = "many"\n', "web_port"),
        ('address = "10.0.0.256"\n', "address"),
        ('address = "fd00::1"\n', "address"),
        ('relays = ["10.2.0.1/16"]\n', "relays"),
        ('relays = ["boot.example"]\n', "relays"),
        ('tftp_block_sizes = {"10.2.0.1/16" = 1380}\n', "tftp_block_sizes"),
        ('tftp_block_sizes = {"10.2.0.0/16" = 500}\n', "tftp_block_sizes"),
        ('web_address = ""\n', "web_address"),
        ('web_address = "http://x/"\n', "web_address"),
        ("tftp_workers = 1000\n", "tftp_workers"),
        ('[[networks]]\ninterface = "a/b"\n', "networks.0.interface"),
        ('[[networks]]\nsubnet = "10.2.0.1/24"\n', "networks.0.subnet"),
        ('[[networks]]\ninterface = "eth0"\ndelay = 2\n', "networks.0.delay"),
        ("[[networks]]\nallowed = false\n", "networks.0"),
        ("wep_port = 9000\n", "wep_port"),
    ],
)
def test_a_setting_that_cannot_be_is_named(tmp_path, text, names):
    """One sentence says which it is, a typing error in a name included; the hint says where."""
    with pytest.raises(InvalidInput, match=rf"the settings cannot be used: {names}") as refusal:
        load_settings(write(tmp_path, text))
    assert str(tmp_path / "netboot.toml") in refusal.value.hint


def test_the_single_settings_are_one_network_next_to_the_others(tmp_path):
    write(tmp_path, 'interface = "eth0"\n[[networks]]\ninterface = "eth1"\naddress = "10.2.0.2"\n')
    settings = load_settings(tmp_path)

    assert [one.name for one in settings.all_networks] == ["eth0", "eth1 10.2.0.2"]
    assert settings.told_address == "10.2.0.2"
    write(tmp_path, 'interface = "eth1"\n[[networks]]\ninterface = "eth1"\n')
    with pytest.raises(InvalidInput, match="there are two networks eth1"):
        load_settings(tmp_path)


@pytest.mark.parametrize("text", ["this is no TOML", "web_port = ", "[half"])
def test_a_file_that_is_no_toml_is_told(tmp_path, text):
    """With its place in the file."""
    with pytest.raises(InvalidInput, match=r"netboot\.toml is not valid TOML: .*(line 1|at end)"):
        load_settings(write(tmp_path, text))


def test_bytes_that_are_no_text_are_told(tmp_path):
    """A file in another encoding is not a traceback."""
    (tmp_path / "netboot.toml").write_bytes(b'interface = "caf\xe9"\n')

    with pytest.raises(InvalidInput, match="not valid TOML"):
        load_settings(tmp_path)


def test_a_variable_that_should_be_a_list_is_explained(tmp_path, monkeypatch):
    """The variable is to blame, not the file; the hint shows how a list is written."""
    monkeypatch.setenv("NETBOOT_RELAYS", "10.2.0.1")

    with pytest.raises(InvalidInput, match="relays") as refusal:
        load_settings(tmp_path)
    assert '["10.2.0.0/16"]' in refusal.value.hint


def test_every_setting_is_explained_and_used():
    """What an administrator may set has a description, and some module that reads it."""
    source = "".join(
        path.read_text()
        for folder in ("netboot", "web", "vm")
        for path in Path(__file__).parent.parent.joinpath(folder).rglob("*.py")
        if path.name != "config.py"
    )

    for name, setting in Settings.model_fields.items():
        assert setting.description, name
        assert f"settings.{name}" in source or name == "data", f"nobody reads {name}"
