"""The proof in virtual machines: the whole loop, on a site and a network of its own."""

from pathlib import Path

import pytest

from netboot.errors import NotPermitted
from vm.proof import prove
from vm.scenario import load_scenarios
from vm.summary import record

pytestmark = [pytest.mark.vm, pytest.mark.netns, pytest.mark.timeout(1800)]

NOTES = Path(__file__).parents[1] / "output" / "boots.json"
SCENARIOS = load_scenarios()
CASES = [(each.key, phase) for each in SCENARIOS for phase in each.phases]


@pytest.fixture(scope="module")
def boots(tmp_path_factory):
    """Every boot of the matrix, by scenario and phase; each is noted as it ends."""

    def note(boot):
        record(NOTES, name=boot.name, passed=not boot.wrong, seconds=boot.seconds)

    try:
        made = prove(SCENARIOS, tmp_path_factory.mktemp("proof"), note)
    except NotPermitted as refusal:
        pytest.skip(f"{refusal} {refusal.hint}")
    return {(boot.scenario.key, boot.phase): boot for boot in made}


@pytest.mark.parametrize(("key", "phase"), CASES, ids=[f"{key}-{phase}" for key, phase in CASES])
def test_the_machine_comes_up_as_it_should(boots, key, phase):
    """Offline on the old version until the points are updated, then online by its driver."""
    boot = boots[key, phase]

    assert boot.wrong == "", boot.tried.run.serial[-3000:] if boot.tried else ""
