"""A real Windows PE through Microsoft's chain: run where somebody supplies one, else not."""

import pytest

from netboot.errors import InvalidInput, NotPermitted
from netboot.site import Site
from vm import windows_pe
from vm.proof import site_in_lab
from vm.scenario import load_scenarios
from vm.windows_pe import VARIABLE, supplied_image

SCENARIOS = {each.key: each for each in load_scenarios() if each.chain == "native"}


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    """A site that serves the supplied Windows PE in a network of its own, and its architecture."""
    wim = supplied_image()
    if wim is None:
        pytest.skip(f"NOT RUN: no real Windows PE (set {VARIABLE} to the path of a boot.wim)")
    folder = tmp_path_factory.mktemp("winpe")
    try:
        with site_in_lab(folder) as made:
            site = Site.open(folder / "data")
            yield made, site, windows_pe.provide(site, wim)
            site.database.close()
            site.journal.close()
    except NotPermitted as refusal:
        pytest.skip(f"{refusal} {refusal.hint}")


@pytest.mark.vm
@pytest.mark.netns
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("key", SCENARIOS)
def test_windows_comes_up(laboratory, key):
    """It gets its image whole, and then speaks on the network itself."""
    made, site, architecture = laboratory
    scenario = SCENARIOS[key]
    if scenario.firmware.architecture is not architecture:
        pytest.skip(f"NOT RUN: {VARIABLE} is {architecture}, this machine starts another")

    assert windows_pe.boot(scenario, made, site) == ""


def test_a_file_that_is_not_there_is_told(monkeypatch, tmp_path):
    """Somebody meant to run this: silence would look like success."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none.wim"))
    with pytest.raises(InvalidInput, match="NETBOOT_TEST_WINPE does not name a file"):
        supplied_image()

    monkeypatch.delenv(VARIABLE)
    assert supplied_image() is None
