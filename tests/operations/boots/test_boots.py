from netboot.boot.told.events import (
    AddressLearned,
    ContentServed,
    Discovered,
    OfferSent,
    ScriptServed,
)
from netboot.daemons.projector import catch_up
from netboot.operations.boots import boots

MAC = "52:54:00:77:00:00"


def test_boots_are_told_newest_first_with_what_happened(site):
    """Events of two machines become two boots, each with its own steps."""
    other = "52:54:00:77:00:01"
    for event in (
        Discovered(at=1.0, mac=MAC, architecture="x86", firmware="bios", stage="ipxe"),
        OfferSent(at=1.1, mac=MAC, file="http://10.0.0.2/boot.ipxe", image="Lab", version=3),
        AddressLearned(at=1.2, mac=MAC, ip="10.0.0.7"),
        ScriptServed(at=1.3, mac=MAC, ip="10.0.0.7", image="Lab", version=3),
        ContentServed(at=2.0, ip="10.0.0.7", name="boot.wim", size=10, seconds=0.5, image="Lab",
                      version=3),
        Discovered(at=5.0, mac=other, architecture="x64", firmware="uefi", stage="firmware"),
    ):  # fmt: skip
        site.journal.emit(event)
    assert site.journal.flush()
    catch_up(site)

    newest, older = boots.attempts(site)
    assert (other, MAC) == (newest.mac, older.mac)
    assert (older.image, older.version) == ("Lab", 3)
    assert len(older.steps) == 5
    assert (newest,) == boots.attempts(site, limit=1)


def test_a_site_without_boots_tells_none(site):
    """An empty journal is no fault."""
    assert boots.attempts(site) == ()
