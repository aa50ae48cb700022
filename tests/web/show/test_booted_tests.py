import time

import pytest

from netboot.operations import jobs
from tests.web.support import seeding
from web.show.booted_tests import booted_test, booted_tests

MAC = "52:54:00:77:00:01"


@pytest.fixture
def ran(site):
    """A finished test of a machine that lacked a driver."""
    job = jobs.submit(site, "boot_test_machine", {"firmware": "bios-x64"}, title="Test machine")
    result = {"mac": MAC, "missing": "net:8086:100e", "image": "Lab PE x64", "version": 1}
    site.jobs.report(job.id, progress=0.5, stage="booting", result=result)
    return jobs.get_job(site, job.id)


def test_the_boot_of_a_test_is_the_one_that_began_while_its_job_ran(site, ran):
    """The same machine boots in every test of its kind."""
    seeding.tell(site, *seeding.boot_events(MAC, at=time.time() - 4000))
    assert booted_test(site, ran).boot is None
    seeding.tell(site, *seeding.boot_events(MAC, at=time.time())[:3])
    found = booted_test(site, ran).boot

    assert found.attempt.machine == MAC
    assert [rung.state for rung in found.rungs][:3] == ["done", "done", "next"]


def test_a_machine_that_has_not_asked_yet_has_no_boot(site):
    job = jobs.submit(site, "boot_test_machine", {}, title="Test machine")

    assert booted_test(site, job).boot is None


def test_fitting_drivers_come_with_a_test_that_lacked_one(site, ran, tmp_path):
    seeding.add_image(site)
    seeding.add_driver(site, tmp_path, "e1000", enabled=True)

    assert [one.name for one in booted_test(site, ran).fitting.drivers] == ["e1000"]


def test_other_jobs_are_left_out(site, ran):
    other = jobs.submit(site, "clean_up", {}, title="Daily clean-up")

    assert set(booted_tests(site, [other, ran])) == {ran.id}
