"""netboot.store.drivers.entry: a driver cut for the catalog, and put together again."""

import json
from dataclasses import replace

import pytest

from netboot.formats.inf.inf import parse
from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import DriverKind, Model, Signature
from netboot.store.drivers.entry import ID_LENGTH, entry, summary, whole
from tests.formats.inf.inf_summary import samples, stamp
from tests.images.drivers.packages import listing, package, package_files


def make(name="acme", **options):
    files = package_files(name, **options)
    return package(parse(files[f"{name}.inf"]), f"{name}.inf", listing(files))


def again(driver):
    """Cut, through JSON as the database keeps it, and put together."""
    cut = entry(driver)
    return whole(
        json.loads(json.dumps(cut.package)),
        cut.models,
        enabled=driver.enabled,
        categories=driver.categories,
    )


@pytest.mark.parametrize(
    "driver",
    [
        make(),
        make(targets=("NTx86", "NTamd64", "NTarm64")),
        make(with_catalog=False, signed=True),
        replace(make(), enabled=True, categories=("a", "b"), missing=("x.sys",)),
        replace(
            make(), models=(Model(Architecture.X86, "Größe 画像", (), ("USB\\X",), "s", 1, 2, 3),)
        ),
    ],
)
def test_nothing_is_lost(driver):
    """What was cut is the same again when it is put together."""
    assert driver == again(driver)


def test_every_real_inf_survives():
    """Real files have every oddity that there is; each comes back as it was."""
    for path in samples():
        inf = parse(stamp(path.read_bytes(), "amd64"))
        driver = package(inf, path.name, listing({path.name: path.read_bytes()}))
        if hasattr(driver, "models"):
            assert driver == again(driver)


def test_a_summary_says_what_lists_show():
    """Without models, but with their number."""
    driver = make(ids=("PCI\\VEN_8086&DEV_10D3", "PCI\\VEN_8086&DEV_10D4"))
    said = summary(driver)

    assert (said.ids, said.kind, said.signature) == (2, DriverKind.NETWORK, Signature.CATALOG)
    assert said == entry(driver).summary


def test_the_search_text_has_names_and_chips_but_no_boards():
    """Boards are as many as ids; they are found in the index of ids."""
    text = entry(
        make(ids=("PCI\\VEN_8086&DEV_10D3&SUBSYS_225D17AA", "USB\\VID_0BDA&PID_8153"))
    ).search_text

    assert {"acme", "acme, ltd.", "ven_8086", "dev_10d3", "vid_0bda", "pid_8153"} <= set(
        text.split("\n")
    )
    assert "subsys" not in text


def test_ids_are_no_longer_than_the_column_and_come_once():
    """An INF may hold what no database takes."""
    driver = replace(
        make(), models=(Model(Architecture.X64, "d", ("A" * 300, "A" * 400, "B", "B")),)
    )

    assert json.loads(entry(driver).hardware_ids) == ["A" * ID_LENGTH, "B"]


def test_boards_are_the_words_of_ids_that_the_search_text_has_not():
    """Together they have every word of every id."""
    driver = make(ids=("PCI\\VEN_8086&DEV_10D3&SUBSYS_225D17AA", "PCI\\VEN_8086&DEV_10D3"))
    cut = entry(driver)
    words = {word.upper() for word in cut.search_text.split("\n")} | set(
        cut.traits.boards.split("\n")
    )

    assert {"PCI", "SUBSYS_225D17AA"} == set(cut.traits.boards.split("\n"))
    assert {"PCI", "VEN_8086", "DEV_10D3", "SUBSYS_225D17AA"} <= words
