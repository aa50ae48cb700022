"""netboot.images.drivers.known_pairs: which drivers a pair means, and what it warns of."""

import pytest

from netboot.errors import InvalidInput
from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import NETWORK_CLASS, Driver, Model
from netboot.images.drivers.known_pairs import (
    KnownPair,
    Side,
    Trouble,
    arranged,
    check_pair,
    clashes,
    partners,
    several_versions,
)


def driver(inf, version="1.0.0.0", *, provider="Acme", service="", architectures="x64"):
    chosen = frozenset(map(Architecture, architectures.split()))
    return Driver(
        digest=f"sha256:{inf}{version}{provider}",
        name=inf.removesuffix(".inf"),
        inf_name=inf,
        provider=provider,
        class_name="Net",
        class_guid=NETWORK_CLASS,
        version=version,
        date="2024-01-01",
        architectures=chosen,
        models=tuple(Model(one, "device", ("PCI\\VEN_1",), service=service) for one in chosen),
        files=(),
    )


def pair(first, second, trouble=Trouble.APART):
    return KnownPair("some", trouble, first, second, "It breaks.")


OLD, NEW = driver("old.inf"), driver("new.inf")
APART = pair(Side("old.inf"), Side("new.inf"))
ORDER = pair(Side("old.inf"), Side("new.inf"), Trouble.ORDER)
RELEASE = pair(Side("bus*.inf"), Side("card.inf"), Trouble.RELEASE)


@pytest.mark.parametrize(
    ("side", "fits"),
    [
        (Side("e1d.inf"), True),
        (Side("E1D.INF other.inf"), True),
        (Side("e1?.inf"), True),
        (Side("e1.inf"), False),
        (Side("*d.inf", provider="Intel*"), True),
        (Side("e1d.inf", provider="Realtek, *corp*"), True),
        (Side("e1d.inf", provider="Realtek"), False),
        (Side(service="e1dEXPRESS"), True),
        (Side(service="e1i*"), False),
        (Side("e1d.inf", service="e1i*"), False),
        (Side("e1d.inf", since="12.19"), True),
        (Side("e1d.inf", since="12.19.2"), False),
        (Side("e1d.inf", before="12.19.1.32"), False),
        (Side("e1d.inf", since="12.19.1.32", before="12.20"), True),
    ],
)
def test_a_side_means_drivers_by_all_that_it_says(side, fits):
    """Names with * and ?, whatever their case; versions as numbers."""
    intel = driver("e1d.inf", "12.19.1.32", provider="Intel Corporation", service="e1dexpress")

    assert fits is side.fits(intel)


def test_two_that_may_not_be_together_clash_in_either_order():
    """And only where a Windows PE of one architecture could get both."""
    for drivers in ((OLD, NEW), (NEW, OLD)):
        (clash,) = clashes([APART], drivers)
        assert (clash.first, clash.second) == ((OLD,), (NEW,))
    assert clashes([APART], [OLD]) == ()
    assert clashes([APART], [OLD, driver("new.inf", architectures="x86")]) == ()


def test_a_pair_may_be_about_versions_of_one_package():
    """The same name on both sides, told apart by version; each driver is named once."""
    three, eleven = driver("ia.inf", "3.8.0.1"), driver("ia.inf", "11.2.0.1")
    found = clashes(
        [pair(Side("ia.inf", before="6.0"), Side("ia.inf", since="10.0"))], [eleven, three]
    )

    assert [((three,), (eleven,))] == [(clash.first, clash.second) for clash in found]


def test_an_order_is_no_trouble_while_it_is_kept():
    """What comes later is loaded later."""
    assert clashes([ORDER], [OLD, NEW]) == ()
    assert len(clashes([ORDER], [NEW, OLD])) == 1


def test_drivers_are_put_in_order_and_else_left_alone():
    """The early one goes just before the other; whatever has nothing to do with it stays."""
    other, last = driver("other.inf"), driver("last.inf")

    assert (other, OLD, NEW, last) == arranged([ORDER], [other, NEW, OLD, last])
    assert (other, OLD, NEW, last) == arranged([ORDER], [other, OLD, NEW, last])
    assert arranged([APART], [NEW, OLD]) == (NEW, OLD)


def test_orders_that_contradict_each_other_come_to_an_end():
    """The pair that was noted last has the last word."""
    back = pair(Side("new.inf"), Side("old.inf"), Trouble.ORDER)

    assert arranged([ORDER, back], [OLD, NEW]) == (NEW, OLD)


def test_parts_of_one_release_go_together():
    """The first two numbers count; a partner of the right release excuses others beside it."""
    card, bus = driver("card.inf", "7.2.1.0"), driver("busa.inf", "7.2.9.9")

    assert clashes([RELEASE], [card, bus]) == ()
    (clash,) = clashes([RELEASE], [card, driver("busa.inf", "7.4.0.0")])
    assert clash.first[0].version == "7.4.0.0"
    assert clashes([RELEASE], [driver("card.inf", "6.0.0.0"), card, bus]) == ()


def test_a_driver_knows_whom_to_look_for():
    """From either side, and not at itself."""
    assert [(APART, APART.second)] == list(partners([APART, RELEASE], OLD))
    assert [(APART, APART.first)] == list(partners([APART, RELEASE], NEW))
    alike = pair(Side("old.inf"), Side("old.inf"))
    assert [(alike, alike.second)] == list(partners([alike], OLD))


def test_versions_of_one_package_are_found_newest_last():
    """As numbers, on a shared architecture, whatever the case of names."""
    two, ten = driver("nic.inf", "2.0.0.0"), driver("NIC.inf", "10.0.0.0")
    elsewhere = driver("nic.inf", "3.0.0.0", architectures="x86")

    assert ((two, ten),) == several_versions([ten, two, elsewhere, OLD])


@pytest.mark.parametrize(
    ("side", "said"),
    [
        (Side(), "selects no driver"),
        (Side(provider="Intel*"), "selects no driver"),
        (Side("*.*"), "is not a valid pattern"),
        (Side("a*"), "is not a valid pattern"),
        (Side("old.inf|new.inf"), "is not a valid pattern"),
        (Side("[old].inf"), "is not a valid pattern"),
        (Side("long.inf " * 40), "at most 200"),
        (Side("old.inf", provider="a\nb\x07"), "printable"),
        (Side("old.inf", since="new"), "is not a version"),
        (Side("old.inf", before="1.2.3.4.5"), "is not a version"),
    ],
)
def test_a_side_that_means_nothing_or_everything_is_refused(side, said):
    """On either place, with what is wrong."""
    for first, second in ((side, APART.second), (APART.first, side)):
        with pytest.raises(InvalidInput, match=said):
            check_pair(pair(first, second))


@pytest.mark.parametrize(
    ("reason", "source"), [("", ""), ("  ", ""), ("x" * 1001, ""), ("so", "y" * 1001), ("\x00", "")]
)
def test_a_pair_needs_words_that_can_be_read(reason, source):
    """Whoever comes after must know why."""
    with pytest.raises(InvalidInput):
        check_pair(KnownPair("", Trouble.APART, APART.first, APART.second, reason, source))


def test_a_driver_is_not_loaded_before_itself():
    """No order fulfils that."""
    with pytest.raises(InvalidInput, match="before itself"):
        check_pair(pair(Side("old.inf"), Side("old.inf"), Trouble.ORDER))


def test_texts_are_tidied():
    """Commas and blanks between names do alike."""
    checked = check_pair(
        pair(Side(" old.inf,  older.inf ", provider=" Acme ,, Beta "), Side("new.inf"))
    )

    assert Side("old.inf older.inf", provider="Acme, Beta") == checked.first


def test_a_pair_is_one_sentence():
    """With makers and versions where they are said."""
    one = Side("old.inf", "Acme", "oldsvc", "1.0", "2.0")

    assert (
        pair(one, Side("new.inf"), Trouble.ORDER).rule
        == "Load old.inf with service oldsvc of Acme from 1.0 before 2.0 before new.inf."
    )
    assert "service svc" in pair(Side(service="svc"), Side("new.inf")).rule
    assert "Must have the same first two version numbers:" in RELEASE.rule
