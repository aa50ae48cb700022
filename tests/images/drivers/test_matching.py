"""netboot.images.drivers.matching against Microsoft's tables, read by hand."""

from dataclasses import replace

import pytest

from netboot.images.architecture import Architecture
from netboot.images.drivers.device import Device
from netboot.images.drivers.driver import (
    COMPONENT_CLASS,
    EXTENSION_CLASS,
    Driver,
    DriverFile,
    Model,
)
from netboot.images.drivers.matching import (
    DriverIndex,
    service_clashes,
    version_numbers,
)

X64 = Architecture.X64


def rank(device, one, architecture, *, build):
    return DriverIndex((one,)).best(device, architecture, build=build)


def best(device, drivers, architecture, **build):
    return DriverIndex(drivers).best(device, architecture, **build)


WINDOWS_7, WINDOWS_10 = 7601, 19041
CARD = Device("8086", "15BE", "224F17AA", "30", "020000")
BOARD_REV = "PCI\\VEN_8086&DEV_15BE&SUBSYS_224F17AA&REV_30"
BOARD = "PCI\\VEN_8086&DEV_15BE&SUBSYS_224F17AA"
CHIP_REV = "PCI\\VEN_8086&DEV_15BE&REV_30"
CHIP = "PCI\\VEN_8086&DEV_15BE"


def model(hardware="", *compatible, architecture=X64, **more):
    return Model(architecture, "card", (hardware,) if hardware else (), compatible, **more)


def driver(name, *models, date="2020-01-01", version="1.0.0.0", signed=True, provider="Acme"):
    return Driver(
        digest=f"sha256:{name}",
        name=name,
        inf_name=f"{name}.inf",
        provider=provider,
        class_name="Net",
        class_guid="4d36e972-e325-11ce-bfc1-08002be10318",
        version=version,
        date=date,
        architectures=frozenset(m.architecture for m in models),
        models=models,
        files=(),
        catalog_file="x.cat" if signed else "",
        catalog_checked=signed,
    )


# The rows and columns of "Driver Rank Example": two hardware ids and two compatible ids of a
# device against one hardware id and two compatible ids of an INF line. CID_1 and CID_2 stand
# here for the device's compatible ids 0 and 1.
TABLE = [
    (BOARD_REV, 0, 0x0000),
    (BOARD_REV, 1, 0x1000),
    (BOARD_REV, 2, 0x1000),
    (BOARD, 0, 0x0001),
    (BOARD, 1, 0x1001),
    (BOARD, 2, 0x1001),
    (CHIP_REV, 0, 0x2000),
    (CHIP_REV, 1, 0x3000),
    (CHIP_REV, 2, 0x3100),
    (CHIP, 0, 0x2001),
    (CHIP, 1, 0x3001),
    (CHIP, 2, 0x3101),
]


@pytest.mark.parametrize(("identifier", "column", "score"), TABLE)
def test_the_documented_table(identifier, column, score):
    """Identifier scores as documented, below signature 0x0D and feature score 0xFF."""
    ids = ["NO\\MATCH", "NO\\MATCH\\EITHER", "NOR\\THIS"]
    ids[column] = identifier
    match = rank(CARD, driver("a", model(*ids)), X64, build=WINDOWS_10)
    assert (0x0DFF0000 + score, identifier) == (match.rank, match.device_id)


@pytest.mark.parametrize(
    ("identifier", "windows_7", "windows_10"),
    [
        (BOARD_REV, 0x0000, 0x0000),
        (BOARD, 0x0001, 0x0001),
        (CHIP_REV, 0x0002, 0x2000),
        (CHIP, 0x0003, 0x2001),
        (f"{CHIP}&CC_020000", 0x0004, 0x0002),
        (f"{CHIP}&CC_0200", 0x0005, 0x0003),
        ("PCI\\VEN_8086&CC_020000", 0x2002, 0x2002),
        ("PCI\\VEN_8086", 0x2004, 0x2004),
        ("PCI\\CC_0200", 0x2006, 0x2006),
        ("PCI\\VEN_8086&DEV_15BF", None, None),
    ],
)
def test_each_of_a_device_s_ids(identifier, windows_7, windows_10):
    """Positions in the two lists, before and since Windows 10."""
    one = driver("a", model(identifier))
    for build, expected in ((WINDOWS_7, windows_7), (WINDOWS_10, windows_10)):
        match = rank(CARD, one, X64, build=build)
        assert expected == (match and match.rank & 0xFFFF)


# Two drivers and the one that Windows takes, each reasoned by the documentation.
DUELS = {
    "the exact board beats the chip": (
        driver("a", model(BOARD)),
        driver("b", model(CHIP), date="2025-01-01"),
        "a",
    ),
    "the revision beats the board": (driver("a", model(BOARD)), driver("b", model(BOARD_REV)), "b"),
    "the chip beats the class": (driver("a", model("PCI\\CC_0200")), driver("b", model(CHIP)), "b"),
    "an INF's hardware id beats its compatible id": (
        driver("a", model("X", CHIP)),
        driver("b", model(CHIP)),
        "b",
    ),
    "signed class driver beats unsigned exact one": (
        driver("a", model(BOARD_REV), signed=False),
        driver("b", model("PCI\\CC_0200")),
        "b",
    ),
    "a lower feature score beats a better id": (
        driver("a", model(BOARD_REV)),
        driver("b", model(CHIP, feature_score=0x20)),
        "b",
    ),
    "a section for NT beats one without, unsigned": (
        driver("a", model(CHIP, decorated=False), signed=False, date="2025-01-01"),
        driver("b", model(CHIP), signed=False),
        "b",
    ),
    "of equals the newer date": (
        driver("a", model(CHIP), date="2019-12-31", version="9.0.0.0"),
        driver("b", model(CHIP), date="2020-01-01", version="1.0.0.0"),
        "b",
    ),
    "of one date the higher version": (
        driver("a", model(CHIP), version="1.9.0.0"),
        driver("b", model(CHIP), version="1.10.0.0"),
        "b",
    ),
    "no date is the oldest": (driver("a", model(CHIP), date=""), driver("b", model(CHIP)), "b"),
    "another architecture does not count": (
        driver("a", model(BOARD_REV, architecture=Architecture.X86)),
        driver("b", model(CHIP)),
        "b",
    ),
    "a section for later builds does not count": (
        driver("a", model(BOARD_REV, minimum_build=22000)),
        driver("b", model(CHIP)),
        "b",
    ),
    "a section that ended does not count": (
        driver("a", model(BOARD_REV, maximum_build=19041)),
        driver("b", model(CHIP)),
        "b",
    ),
    "the best line of a driver counts": (
        driver("a", model(CHIP), model(BOARD_REV)),
        driver("b", model(BOARD)),
        "a",
    ),
}


@pytest.mark.parametrize("name", DUELS)
def test_duels(name):
    """Whoever is asked first or last, by itself or from an index: the same driver wins."""
    one, other, winner = DUELS[name]
    for pair in ((one, other), (other, one)):
        assert winner == best(CARD, pair, X64, build=WINDOWS_10).driver.name
        assert winner == DriverIndex(pair).best(CARD, X64, build=WINDOWS_10).driver.name


def test_windows_10_ranks_the_chip_behind_a_compatible_board():
    """The move of ids in Windows 10 changes who wins."""
    pair = (driver("chip", model(CHIP)), driver("board", model("X", BOARD)))
    assert (
        best(CARD, pair, X64, build=WINDOWS_7).driver.name,
        best(CARD, pair, X64, build=WINDOWS_10).driver.name,
    ) == ("chip", "board")


def test_nothing_fits():
    """No driver is no match."""
    assert best(CARD, [driver("a", model("PCI\\VEN_10EC"))], X64) is None
    assert DriverIndex([]).best(CARD, X64) is None


def test_all_that_fit_in_order():
    """One match for each driver, best first."""
    drivers = [
        driver("class", model("PCI\\CC_0200")),
        driver("board", model(BOARD), model(CHIP)),
        driver("chip", model(CHIP)),
        driver("foreign", model("PCI\\VEN_10EC")),
    ]
    found = DriverIndex(drivers).matches(CARD, X64, build=WINDOWS_10)
    assert [match.driver.name for match in found] == ["board", "chip", "class"]


def test_index_and_rank_agree():
    """An index finds the same ranks as asking each driver."""
    ids = [BOARD_REV, BOARD, CHIP_REV, CHIP, "PCI\\VEN_8086", "PCI\\CC_0200", "X"]
    drivers = [
        driver(f"{h}-{c}", model(ids[h], ids[c]), signed=bool((h + c) % 2))
        for h in range(len(ids))
        for c in range(len(ids))
    ]
    index = DriverIndex(drivers)
    for build in (WINDOWS_7, WINDOWS_10):
        alone = {d.name: m.rank for d in drivers if (m := rank(CARD, d, X64, build=build))}
        together = {m.driver.name: m.rank for m in index.matches(CARD, X64, build=build)}
        assert alone == together


def test_explanation():
    """One sentence with the id, the reason, the trust, the age and the rank."""
    match = rank(CARD, driver("a", model(CHIP)), X64, build=WINDOWS_10)
    assert match.explanation == (
        "PCI\\VEN_8086&DEV_15BE is a compatible ID of the device, listed as hardware ID in the "
        "INF; signed; "
        "1.0.0.0 of 2020-01-01; rank 0DFF2001."
    )
    unsigned = driver("a", model(CHIP), signed=False, version="", date="")
    assert "; not signed; no version; rank 80FF2001." in (
        rank(CARD, unsigned, X64, build=WINDOWS_10).explanation
    )


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1.2.3.4", (1, 2, 3, 4)),
        ("10.0", (10, 0, 0, 0)),
        ("", (0, 0, 0, 0)),
        ("1.b.3", (1, 0, 3, 0)),
        ("1.2.3.4.5", (1, 2, 3, 4)),
    ],
)
def test_versions_are_numbers(text, numbers):
    """1.10 is above 1.9."""
    assert numbers == version_numbers(text)


@pytest.mark.parametrize("class_guid", [EXTENSION_CLASS, COMPONENT_CLASS])
def test_what_is_no_function_driver_never_matches(class_guid):
    """Though it is newer, and claims the board while the driver claims the chip."""
    base = driver("e1d", model(CHIP, service="e1d"))
    addition = replace(
        driver("e1dext", model(BOARD_REV, service="e1d"), date="2026-05-01", version="9.9.9.9"),
        class_guid=f"{{{class_guid}}}",
    )
    index = DriverIndex((addition, base))

    assert [found.driver for found in index.matches(CARD, X64)] == [base]
    assert DriverIndex((addition,)).best(CARD, X64) is None
    assert DriverIndex((replace(addition, models=base.models), base)).conflicts == ()
    assert service_clashes([addition, base]) == ()


class TestConflicts:
    """Two drivers that claim one id."""

    def names(self, *drivers):
        return [
            (conflict.hardware_id, sorted(driver.name for driver in conflict.drivers))
            for conflict in DriverIndex(drivers).conflicts
        ]

    def test_two_makers(self):
        """Both claim the chip."""
        assert self.names(driver("a", model(CHIP), model(BOARD)), driver("b", model(CHIP))) == [
            (CHIP, ["a", "b"])
        ]

    def test_two_versions_of_one_package(self):
        """The newer one is meant, which is no conflict."""
        one = driver("a", model(CHIP))
        assert self.names(one, replace(one, digest="sha256:newer", version="2.0")) == []

    def test_other_architecture_other_builds_other_list(self):
        """Only the same architecture and build, and only hardware ids."""
        assert (
            self.names(
                driver("a", model(CHIP, maximum_build=10240)),
                driver("b", model(CHIP, minimum_build=10240)),
                driver("c", model(CHIP, architecture=Architecture.X86)),
                driver("d", model("X", CHIP)),
            )
            == []
        )

    def test_services_of_one_name(self):
        """Two packages that install one service cannot both have their way."""
        one = driver("a", model(CHIP, service="E1d"))
        two = driver("b", model("X", service="e1D"))
        three = driver("c", model("Y", service="other"))
        (clash,) = service_clashes([one, two, three])
        assert ("e1d", [one, two]) == (clash.hardware_id, list(clash.drivers))
        assert service_clashes([one, replace(one, digest="sha256:new")]) == ()

    @pytest.mark.parametrize(
        ("first", "second", "clash"),
        [
            ({"a.sys": "1"}, {"a.sys": "1"}, False),
            ({"x64/a.sys": "1"}, {"A.SYS": "1", "helper.sys": "2"}, False),
            ({"a.sys": "1"}, {"a.sys": "2"}, True),
            ({"a.sys": "1", "helper.sys": "3"}, {"a.sys": "2", "helper.sys": "3"}, True),
            ({}, {}, True),
        ],
    )
    def test_infs_that_install_one_program_do_not_clash(self, first, second, clash):
        """INFs of one vendor package may share service and .sys."""
        one, two = (
            replace(
                driver(name, model(chip, service="e1d")),
                files=tuple(DriverFile(path, digest, 1) for path, digest in files.items()),
            )
            for name, chip, files in (("a", CHIP, first), ("b", "X", second))
        )
        assert bool(service_clashes([one, two])) == clash
