"""The boot programs on the point follow the addresses that machines load from."""

import pytest

from netboot.operations import boot_programs as module
from netboot.operations.boot_programs import programs_for
from netboot.store.media.boot_programs import made_for


@pytest.fixture
def made(monkeypatch):
    """The addresses of each time that programs were made."""
    times, make = [], module.prepare_programs

    def counted(point, folders, *addresses):
        times.append(addresses)
        return make(point, folders, *addresses)

    monkeypatch.setattr(module, "prepare_programs", counted)
    return times


def test_they_are_made_for_the_first_address(site, made):
    programs_for(site, ["10.77.0.2"])
    assert made == [("10.77.0.2",)]
    assert made_for(site.point) == ("10.77.0.2",)


def test_they_are_not_made_again_for_addresses_that_they_serve(site, made):
    programs_for(site, ["10.77.0.2", "10.78.0.2"])
    programs_for(site, ["10.78.0.2"])
    assert len(made) == 1


def test_a_new_address_makes_them_again(site, made):
    programs_for(site, ["10.77.0.2"])
    programs_for(site, ["10.78.0.2"])
    assert made[1:] == [("10.78.0.2",)]
