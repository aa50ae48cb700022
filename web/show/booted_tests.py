"""Boot tests as pages show them: the job, its boot with the ladder, and fitting drivers."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from netboot.operations import jobs, lab
from netboot.operations.boots import boots
from netboot.operations.boots.boots import BootFilter
from netboot.operations.machines.missing_drivers import Fitting, find_fitting
from netboot.protocols.mac import is_mac
from netboot.site import Site
from web.show import ladder

CLOCK_SLACK = 2.0
"""Seconds: the machine asks right after its job began."""

LOOKED_AT = 3


@dataclass(frozen=True, slots=True)
class BootedTest:
    """The boot of a test machine, None while it has not asked yet, and drivers that it lacks."""

    boot: ladder.Boot | None
    fitting: Fitting | None


def booted_test(site: Site, job: jobs.JobView) -> BootedTest:
    """What is known of the boot of a test machine's job."""
    result = job.result
    missing, image = str(result.get("missing", "")), str(result.get("image", ""))
    fitting = find_fitting(site, missing, image) if missing and image else None
    return BootedTest(_boot_of(site, job), fitting)


def booted_tests(site: Site, found: Iterable[jobs.JobView]) -> dict[int, BootedTest]:
    """As `booted_test`, by the number of the job; other jobs are left out."""
    return {job.id: booted_test(site, job) for job in found if job.kind == lab.KIND}


def _boot_of(site: Site, job: jobs.JobView) -> ladder.Boot | None:
    """The last boot of the machine while its job ran; the same kind of machine boots often."""
    mac, now = str(job.result.get("mac", "")), time.time()
    if not is_mac(mac):
        return None
    ended = job.finished_at or now
    began = job.created_at - CLOCK_SLACK
    wanted = BootFilter(machine=mac, before=ended + CLOCK_SLACK)
    among = boots.list_boots(site, wanted, LOOKED_AT, now=now)
    return next((ladder.seen(one, now) for one in among if one.began >= began), None)
