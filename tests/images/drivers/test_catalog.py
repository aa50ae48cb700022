"""netboot.images.drivers.catalog: enabling, deleting, superseding, searching."""

from dataclasses import replace

import pytest

from netboot.errors import InUse, InvalidInput
from netboot.formats.inf.inf import parse
from netboot.images.architecture import Architecture
from netboot.images.drivers.catalog import (
    DriverFilter,
    Signature,
    check_delete,
    check_enable,
    search_text,
    signature,
    superseded,
)
from netboot.images.drivers.driver import DriverKind
from netboot.images.drivers.package import package
from tests.images.drivers.packages import SCSI, listing, package_files


def make(name="acme", **options):
    drop = options.pop("drop", ())
    files = {n: data for n, data in package_files(name, **options).items() if n not in drop}
    return package(parse(files[f"{name}.inf"]), f"{name}.inf", listing(files))


def test_only_complete_drivers_are_enabled():
    """What is missing is named."""
    check_enable(make())
    with pytest.raises(InvalidInput, match=r"acme\.sys is missing") as raised:
        check_enable(make(drop={"acme.sys"}))
    assert (
        "Import the complete vendor folder with all files that the INF lists" in raised.value.hint
    )


def test_a_driver_in_use_is_not_deleted():
    """The images that hold it are named."""
    check_delete(make(), [])
    with pytest.raises(InUse, match="Lab PE x64, WinPE"):
        check_delete(make(), ["WinPE", "Lab PE x64"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Signature.CATALOG),
        ({"with_catalog": False}, Signature.NONE),
        ({"with_catalog": False, "signed": True}, Signature.SELF),
        ({"signed": True}, Signature.CATALOG),
    ],
)
def test_signatures(options, expected):
    """A catalog file, or signed programs, or nothing."""
    assert expected == signature(make(**options))


IDS = ("PCI\\VEN_8086&DEV_0001", "PCI\\VEN_8086&DEV_0002")


class TestSuperseded:
    """An older version gives way to one that claims at least as much."""

    old = make(ids=IDS, driver_ver="01/01/2019,1.0.0.0")
    newer = make(ids=(*IDS, "PCI\\VEN_8086&DEV_0003"), driver_ver="01/01/2020,1.1.0.0")
    newest = make(ids=(*IDS, "PCI\\VEN_8086&DEV_0003"), driver_ver="01/01/2020,1.10.0.0")

    def test_the_newest_takes_the_place(self):
        """By date, then by version as numbers."""
        assert superseded([self.old, self.newest, self.newer]) == {
            self.old.digest: self.newest.digest,
            self.newer.digest: self.newest.digest,
        }

    def test_not_when_ids_would_be_lost(self):
        """A newer version that dropped a device does not replace the older one."""
        dropped = make(ids=IDS[:1], driver_ver="01/01/2021,2.0.0.0")
        assert {} == superseded([self.old, dropped])
        assert {self.old.digest: self.newer.digest} == superseded([self.old, dropped, self.newer])

    def test_not_by_another_maker_or_package(self):
        """Same ids, other provider or other INF."""
        others = [
            make(ids=IDS, vendor="Other", driver_ver="01/01/2022,9.0.0.0"),
            make("other", ids=IDS, driver_ver="01/01/2022,9.0.0.0"),
        ]
        assert {} == superseded([self.old, *others])

    def test_not_when_an_architecture_would_be_lost(self):
        """x86 devices need a package for x86."""
        both = make(ids=IDS, targets=("NTx86", "NTamd64"), driver_ver="01/01/2018,1.0.0.0")
        both = replace(both, architectures=frozenset({Architecture.X86, Architecture.X64}))
        assert both.digest not in superseded([both, self.newest])


class TestFilter:
    """What is not named does not narrow; words must all occur."""

    net = make(ids=IDS)
    disk = replace(
        make("disky", kind=SCSI, with_catalog=False, vendor="Deskstor"),
        enabled=True,
        categories=("lab",),
    )

    @pytest.mark.parametrize(
        ("wanted", "names"),
        [
            (DriverFilter(), ["acme", "disky"]),
            (DriverFilter(text="ACME"), ["acme"]),
            (DriverFilter(text="acme 1.2.3.4"), ["acme"]),
            (DriverFilter(text="acme deskstor"), []),
            (DriverFilter(text="pci\\ven_8086&dev_0002"), ["acme"]),
            (DriverFilter(text="dev_10D3"), ["disky"]),
            (DriverFilter(text="lab"), ["disky"]),
            (DriverFilter(kind=DriverKind.STORAGE), ["disky"]),
            (DriverFilter(architecture=Architecture.X86), []),
            (DriverFilter(architecture=Architecture.X64), ["acme", "disky"]),
            (DriverFilter(enabled=True), ["disky"]),
            (DriverFilter(enabled=False), ["acme"]),
            (DriverFilter(signature=Signature.NONE), ["disky"]),
            (DriverFilter(has_findings=True), ["disky"]),
            (DriverFilter(category="lab"), ["disky"]),
            (DriverFilter(text="disky", kind=DriverKind.NETWORK), []),
        ],
    )
    def test_what_is_shown(self, wanted, names):
        """Each condition by itself, and two together."""
        assert names == [d.name for d in (self.net, self.disk) if wanted.accepts(d)]

    def test_a_stored_search_text_is_used(self):
        """The database keeps what `search_text` gave."""
        stored = {self.net.digest: search_text(self.net)}
        wanted = DriverFilter(text="acme")
        assert wanted.accepts(self.net, text=lambda driver: stored[driver.digest])
