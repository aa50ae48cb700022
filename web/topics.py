"""What live pages show: each topic is a way to read the site and a template for what was read.

A page renders its topics once when it is made, and the stream renders them again whenever they
read differently; both use the same template, so they cannot disagree.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import render_template

from netboot.boot.attempts import Outcome
from netboot.images.distribution import DistributionStatus
from netboot.operations import images, jobs, network, points
from netboot.site import Site
from web import guide, ladder
from web.access import role_now, site
from web.boot_log import boot_log
from web.hours import by_hour

Values = dict[str, Any]
BOOTS_SHOWN = 50
JOBS_SHOWN = 50
LOG_LINES_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Topic:
    """`read(site, argument)` gives the template's values, which must be comparable."""

    template: str
    read: Callable[[Site, str], Values]


def read_activity(site: Site, _argument: str) -> Values:
    """The work that is going on, for the top of every page."""
    return {"activity": [job for job in jobs.list_jobs(site, 10) if not job.finished]}


def read_overview(site: Site, _argument: str) -> Values:
    """The state of the whole site in numbers, and what to do next."""
    now = time.time()
    views = images.list_images(site)
    recent = ladder.as_seen(boot_log().recent(), now)
    newest = recent[:BOOTS_SHOWN]
    troubled = {Outcome.OFFLINE, Outcome.STALLED, Outcome.IGNORED}
    return {
        "images": views,
        "stale": [
            view
            for view in views
            if view.current and view.distribution != DistributionStatus.CURRENT
        ],
        "to_build": [view for view in views if view.needs_build],
        "boots": recent[:6],
        "up": ladder.counted(newest, Outcome.ONLINE),
        "under_way": ladder.counted(newest, Outcome.UNDER_WAY),
        "troubled": [boot for boot in ladder.newest_of_each(newest) if boot.outcome in troubled][
            :5
        ],
        "hours": by_hour(recent, now),
        "steps": guide.first_steps(site, views, recent),
    }


def read_images(site: Site, _argument: str) -> Values:
    """All boot images."""
    return {"images": images.list_images(site)}


def read_image(site: Site, slug: str) -> Values:
    """One boot image with all that belongs to it."""
    image = images.get_image(site, slug)
    recent = [job for job in jobs.list_jobs(site, 50) if job.arguments.get("image") == image.name]
    return {
        "image": image,
        "places": [
            (point, held)
            for point in points.point_status(site)
            for held in point.images
            if held.image == image.name
        ],
        "image_jobs": recent[:5],
        "busy": [job for job in recent if not job.finished],
    }


def read_points(site: Site, _argument: str) -> Values:
    """All distribution points with what they hold."""
    return {
        "points": points.point_status(site),
        "slugs": {image.name: image.slug for image in images.list_images(site)},
    }


def read_boots(_site: Site, _argument: str) -> Values:
    """The newest boots."""
    return {"boots": ladder.as_seen(boot_log().recent(BOOTS_SHOWN), time.time())}


def read_boot(_site: Site, boot_id: str) -> Values:
    """One boot."""
    return {"boot": ladder.find_boot(boot_log().recent(), boot_id, time.time())}


def read_jobs(site: Site, _argument: str) -> Values:
    """The newest jobs."""
    return {"jobs": jobs.list_jobs(site, JOBS_SHOWN)}


def read_job(site: Site, job_id: str) -> Values:
    """One job with the end of its log."""
    job = jobs.get_job(site, int(job_id) if job_id.isdecimal() and len(job_id) < 18 else -1)
    return {
        "job": job,
        "log": job.log[-LOG_LINES_SHOWN:],
        "slugs": {image.name: image.slug for image in images.list_images(site)},
    }


def read_tests(site: Site, _argument: str) -> Values:
    """The newest test machines."""
    tests = [job for job in jobs.list_jobs(site, 100) if job.kind == "boot_test_machine"]
    return {"tests": tests[:10]}


def read_checks(site: Site, _argument: str) -> Values:
    """The newest checks of the boot network."""
    return {"checks": network.list_checks(site)}


def read_network(site: Site, argument: str) -> Values:
    """What we serve, who was answered and why, and who else answers; `ignored` for silence only."""
    return {
        "serving": network.serving(site),
        "others": network.other_servers(site),
        "decisions": network.decisions(site, ignored_only=argument == "ignored"),
    }


TOPICS = {
    "activity": Topic("parts/activity.html", read_activity),
    "overview": Topic("overview/_state.html", read_overview),
    "images": Topic("images/_list.html", read_images),
    "image": Topic("images/_image.html", read_image),
    "points": Topic("points/_points.html", read_points),
    "boots": Topic("boots/_list.html", read_boots),
    "boot": Topic("boots/_boot.html", read_boot),
    "jobs": Topic("jobs/_list.html", read_jobs),
    "job": Topic("jobs/_job.html", read_job),
    "checks": Topic("network/_checks.html", read_checks),
    "network": Topic("network/_state.html", read_network),
    "tests": Topic("lab/_tests.html", read_tests),
}


def page(template: str, *topics: str, **values: Any) -> str:
    """A page with these live topics, like `images` or `image:lab-pe-x64`."""
    wanted = ("activity", *topics)
    read: Values = {}
    for text in wanted:
        name, _, argument = text.partition(":")
        read |= TOPICS[name].read(site(), argument)
    return render_template(template, topics=wanted, role=role_now(), **read, **values)
