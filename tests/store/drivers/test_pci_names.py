"""Where pci.ids is looked for."""

from netboot.store.drivers import pci_names

KEY = ("8086", "100E")


def test_the_first_list_that_is_there(tmp_path, monkeypatch):
    listed = tmp_path / "pci.ids"
    listed.write_text("8086  Intel\n\t100e  82540EM Gigabit Ethernet Controller\n")
    monkeypatch.setattr(pci_names, "PLACES", (tmp_path / "none", listed))
    assert pci_names.names_of({KEY}) == {KEY: "82540EM Gigabit Ethernet Controller"}


def test_without_a_list_there_are_no_names(tmp_path, monkeypatch):
    """The package is only recommended."""
    monkeypatch.setattr(pci_names, "PLACES", (tmp_path / "none",))
    assert pci_names.names_of({KEY}) == {}
