"""netboot.operations.drivers.conflicts: the whole catalog's conflicts are those of the rules."""

import random
from dataclasses import replace

import pytest

from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import Model
from netboot.images.drivers.matching import DriverIndex, service_clashes
from netboot.operations.drivers.conflicts import enabled_conflicts
from netboot.store.drivers.entry import entry
from netboot.store.drivers.index import read_index
from netboot.store.drivers.rows import add_entries
from tests.samples.drivers import make_driver

IDS = [f"PCI\\VEN_8086&DEV_{number:04X}" for number in range(30)]
BUILDS = [(0, 0), (0, 0), (9600, 0), (0, 9600), (10240, 19041)]


def some(number, chance):
    """A driver that claims its ids alike, or not."""
    name = f"nic{chance.randrange(20)}"
    models = [
        Model(
            architecture,
            "device",
            tuple(chance.sample(IDS, 2)),
            tuple(chance.sample(IDS, chance.choice((0, 0, 1)))),
            service=chance.choice(("", "", "Alpha", "alpha", f"svc{number}")),
            minimum_build=minimum,
            maximum_build=maximum,
        )
        for architecture in chance.sample(list(Architecture), chance.randrange(1, 3))
        for minimum, maximum in [chance.choice(BUILDS)]
    ]
    return replace(
        make_driver(name),
        digest=f"sha256:{number:064x}",
        models=tuple(models),
        enabled=chance.random() < 0.7,
    )


def told(conflicts):
    return [
        (one.hardware_id, one.architecture, sorted(driver.digest for driver in one.drivers))
        for one in conflicts
    ]


@pytest.mark.parametrize("seed", range(6))
def test_they_are_what_the_rules_say_of_the_whole_drivers(any_site, seed):
    """By device and by service, whatever the drivers' traits leave to the models."""
    chance = random.Random(seed)
    drivers = [some(number, chance) for number in range(40)]
    with any_site.database.writing() as session:
        add_entries(session.connection(), [entry(driver) for driver in drivers])
    enabled = [driver for driver in drivers if driver.enabled]

    with any_site.database.transaction() as session:
        ids, services = enabled_conflicts(session, read_index(session))
    assert told(DriverIndex(enabled).conflicts) == told(ids)
    assert told(service_clashes(enabled)) == told(services)
    assert ids
    assert services
