"""netboot.images.drivers.catalog: enabling, deleting, superseding."""

from dataclasses import replace

import pytest

from netboot.errors import InUse, InvalidInput
from netboot.formats.inf.inf import parse
from netboot.images.architecture import Architecture
from netboot.images.drivers.catalog import (
    check_delete,
    check_enable,
    superseded,
)
from netboot.images.drivers.driver import Signature
from tests.images.drivers.packages import listing, package, package_files


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
    assert make(**options).signature is expected


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
        assert superseded([self.old, dropped]) == {}
        assert {self.old.digest: self.newer.digest} == superseded([self.old, dropped, self.newer])

    def test_not_by_another_maker_or_package(self):
        """Same ids, other provider or other INF."""
        others = [
            make(ids=IDS, vendor="Other", driver_ver="01/01/2022,9.0.0.0"),
            make("other", ids=IDS, driver_ver="01/01/2022,9.0.0.0"),
        ]
        assert superseded([self.old, *others]) == {}

    def test_not_when_an_architecture_would_be_lost(self):
        """x86 devices need a package for x86."""
        both = make(ids=IDS, targets=("NTx86", "NTamd64"), driver_ver="01/01/2018,1.0.0.0")
        both = replace(both, architectures=frozenset({Architecture.X86, Architecture.X64}))
        assert both.digest not in superseded([both, self.newest])
