"""netboot.store.drivers.claims: who claims what, without reading all models."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import Model, Span
from netboot.store.database.records import DriverRow
from netboot.store.drivers.claims import claimed_spans, common_spans, services, shared_ids
from netboot.store.drivers.entry import entry
from netboot.store.drivers.rows import add_entries
from tests.samples.drivers import make_driver

X64, X86 = Architecture.X64, Architecture.X86
A, B, C = "PCI\\VEN_1&DEV_A", "PCI\\VEN_1&DEV_B", "USB\\A B, C"


@pytest.fixture
def claiming(any_site):
    """`claiming(name, *models)`: the number of a driver that was added with these models."""

    def make(name, *models):
        driver = replace(make_driver(name), models=models)
        with any_site.database.writing() as session:
            add_entries(session.connection(), [entry(driver)])
            return session.scalar(select(DriverRow.id).where(DriverRow.digest == driver.digest))

    return make


def ask(site, question, *more):
    with site.database.transaction() as session:
        found = question(session, *more)
        return found if isinstance(found, dict) else dict(found)


def test_shared_ids_are_told_with_their_drivers(any_site, claiming):
    """Not those of one driver alone; ids may hold blanks and commas."""
    assert ask(any_site, shared_ids) == {}
    one = claiming("one", Model(X64, "d", (A, B)))
    other = claiming("other", Model(X64, "d", (B, C)))
    third = claiming("third", Model(X64, "d", (C,)))

    assert {B: {one, other}, C: {other, third}} == {
        identifier: set(numbers) for identifier, numbers in ask(any_site, shared_ids).items()
    }


def test_spans_are_common_where_all_ids_are_claimed_alike(any_site, claiming):
    """On each architecture and from each build on; otherwise the models have to tell."""
    plain = claiming("plain", Model(X64, "d", (A,)), Model(X64, "e", (B,)))
    both = claiming(
        "both",
        Model(X64, "d", (A, B), minimum_build=9600),
        Model(X86, "d", (B,)),
        Model(X86, "e", (A,)),
    )
    claiming("halves", Model(X64, "d", (A, B)), Model(X86, "d", (A,)))
    claiming("compatible", Model(X64, "d", (A,), (B,)))

    assert {
        plain: {Span(X64, 0, 0)},
        both: {Span(X64, 9600, 0), Span(X86, 0, 0)},
    } == {number: set(spans) for number, spans in ask(any_site, common_spans).items()}


def test_the_models_tell_what_traits_do_not(any_site, claiming):
    """Of the ids that are asked for, as hardware ids."""
    halves = claiming("halves", Model(X64, "d", (A, B)), Model(X86, "d", (A,)))
    mixed = claiming("mixed", Model(X64, "d", (C,), (A,)))

    assert {halves: {A: {Span(X64, 0, 0), Span(X86, 0, 0)}}, mixed: {}} == ask(
        any_site, claimed_spans, [halves, mixed], frozenset({A})
    )


def test_services_are_told_by_architecture_without_case(any_site, claiming):
    """Drivers that install none are left out."""
    one = claiming("one", Model(X64, "d", (A,), service="E1Express"), Model(X86, "d", (A,)))
    claiming("none", Model(X64, "d", (B,)))

    assert {one: (("e1express", X64),)} == ask(any_site, services)
