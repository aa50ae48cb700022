"""The parts of live pages: each topic is a function that reads the site, and a template.

A page contains its topics as parts, and fetches a part again when its version changes. Both use the
same template, so they cannot disagree. Parts are rendered only in requests.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from flask import get_flashed_messages, render_template

from netboot.boot.told.attempts import Outcome
from netboot.errors import ContentFault, NotFound
from netboot.images.boot_image import uefi_loader
from netboot.images.servicing.shortfalls import CURL
from netboot.operations import jobs, lab
from netboot.operations.boots import boots, network, networks
from netboot.operations.boots.boots import BootFilter
from netboot.operations.drivers import relations as driver_relations
from netboot.operations.images import curl, images
from netboot.operations.machines.missing_drivers import find_fitting
from netboot.operations.machines.recipients import recipients, who_gets
from netboot.operations.points import points
from netboot.operations.points import quarantine as altered
from netboot.operations.versions import versions
from netboot.site import Site
from web.guard.access import role_now, site
from web.show import charts, ladder
from web.show import first_steps as guide
from web.show import to_do as attention
from web.show.booted_tests import booted_tests
from web.show.delivery_ways import read_version
from web.show.wanted_boots import from_query, query_of

Values = dict[str, Any]
BOOTS_SHOWN = 50
DAY = 24 * 3600.0
BOOTS_IN_OVERVIEW = 5
FAILED_SHOWN = 6
JOBS_SHOWN = 50
UNFINISHED_SHOWN = 10
LOG_LINES_SHOWN = 200


JOURNAL = "journal"
SUBJECTS = ("catalog", "images", "policy", "machines", "boots", "jobs")
"""Subjects that topics show and whose changes the database counts."""

RECIPES = ("catalog", "images", "policy", "jobs")
CLOCK_SECONDS = 5
"""How often parts are read that change by time alone: a boot stalls, a point is unreachable."""


@dataclass(frozen=True, slots=True)
class Topic:
    """`read(site, argument)` returns the template's values.

    They change with the counters of `subjects`, and with time if `timed`.
    """

    template: str
    read: Callable[[Site, str], Values]
    subjects: tuple[str, ...] = SUBJECTS
    timed: bool = False


def topic_of(text: str) -> tuple[Topic, str]:
    """The topic of a part like `image:lab-pe`, and its argument."""
    name, _, argument = text.partition(":")
    return TOPICS[name], argument


def read_counters(site: Site) -> dict[str, int]:
    """The change counters of all subjects. Raises OperatorFault if the database fails."""
    newest = 0
    with suppress(ContentFault):  # with a damaged journal, all other parts still update
        newest = site.journal.last_id()
    counts = site.database.stamp(*SUBJECTS)
    return {JOURNAL: newest, **dict(zip(SUBJECTS, counts, strict=True))}


def version_of(text: str, counters: Mapping[str, int], now: float) -> str:
    """The version of a part like `boots` or `image:lab-pe`; the same in every process."""
    topic, _argument = topic_of(text)
    numbers = [counters[subject] for subject in topic.subjects]
    if topic.timed:
        numbers.append(int(now // CLOCK_SECONDS))
    return ".".join(map(str, numbers))


def read_activity(site: Site, _argument: str) -> Values:
    """Unfinished jobs, for the top of every page."""
    return {"activity": jobs.list_unfinished(site, UNFINISHED_SHOWN)}


def read_notice(site: Site, argument: str) -> Values:
    """The job that a button started: its progress, then what became of it."""
    try:
        job = jobs.get_job(site, _number(argument))
    except NotFound:
        return {"notice": None}
    return {"notice": job, "slugs": boots.image_slugs(site)}


def _number(text: str) -> int:
    """The number of a job in an address; -1, which no job has, for anything else."""
    return int(text) if text.isdecimal() and len(text) < 18 else -1


def read_overview(site: Site, _argument: str) -> Values:
    """The state of the site: current boots, failures, and what needs a decision."""
    now = time.time()
    views = images.list_images(site)
    counts = attention.driver_counts(site)
    under_way = BootFilter(outcome=Outcome.UNDER_WAY)
    failed = ladder.as_seen(boots.troubled(site, FAILED_SHOWN, now=now), now)
    hours = boots.by_hour(site, now=now)
    return {
        "running": ladder.as_seen(boots.list_boots(site, under_way, BOOTS_IN_OVERVIEW), now),
        "under_way": boots.count(site, under_way, now=now),
        "recent": ladder.as_seen(boots.list_boots(site, limit=BOOTS_IN_OVERVIEW, now=now), now),
        "failed": failed,
        "online_today": sum(hours.online),
        "other_today": sum(hours.other),
        "out_of_date": attention.out_of_date(views),
        "decisions": attention.decisions(
            site,
            views,
            counts,
            [one.server for one in network.other_servers(site) if now - one.last < DAY],
        ),
        "hours": charts.hours_chart(hours),
        "steps": guide.first_steps(site, views, now=now),
    }


def read_images(site: Site, _argument: str) -> Values:
    found = images.list_images(site)
    return {"images": found, "recipients": recipients(site, found)}


def read_image(site: Site, slug: str) -> Values:
    image = images.get_image(site, slug)
    newest = jobs.list_lines(site, JOBS_SHOWN)
    recent = [
        job for job in newest if job.arguments.get("image") == image.name and job.kind != lab.KIND
    ]
    return {
        "image": image,
        "conflicts": driver_relations.image_conflicts(site, image.drivers),
        "lenders": (
            [one for one in curl.lenders(site, image.architecture) if one.name != image.name]
            if any(one.program == CURL for one in image.shortfalls)
            else []
        ),
        "loaders": uefi_loader.held(image.facts.boot_files),
        "places": [
            (point, held) for point in points.status_of(site, [image]) for held in point.images
        ],
        "site_authority": site.settings.uefi_authority,
        "recipients": who_gets(site, image),
        "pending": versions.list_pending(site, slug) if image.needs_build else (),
        "image_jobs": recent[:5],
        "boot_tests": _tests_of(site, image.name, newest)[:5],
        "busy": [job for job in recent if not job.finished],
    }


def _tests_of(site: Site, image: str, newest: list[jobs.LineView]) -> list[jobs.JobView]:
    """The tests of this image among the newest jobs; other jobs' results are not read."""
    kind = str(lab.KIND)
    among = {job.id for job in newest if job.kind == kind}
    found = jobs.list_jobs(site, len(among), kind=kind) if among else []
    about = (job for job in found if job.id in among)
    return [job for job in about if image in {job.arguments.get("image"), job.result.get("image")}]


def read_points(site: Site, _argument: str) -> Values:
    views = images.list_images(site)
    return {
        "points": points.status_of(site, views),
        "recipients": recipients(site, views),
        "altered": altered.list_altered(site),
        "slugs": boots.image_slugs(site),
    }


def read_boots(site: Site, query: str) -> Values:
    now = time.time()
    wanted = from_query(query)
    found = boots.list_boots(site, wanted, BOOTS_SHOWN + 1, now=now)
    shown = found[:BOOTS_SHOWN]
    older = query_of(wanted, before=shown[-1].began) if len(found) > BOOTS_SHOWN else ""
    return {
        "boots": ladder.as_seen(shown, now),
        "older": older,
        "searched": bool(query),
        "newest_query": query_of(replace(wanted, before=None)) if wanted.before else None,
    }


def read_boot_charts(site: Site, _argument: str) -> Values:
    return {
        "hours": charts.hours_chart(boots.by_hour(site)),
        "rates": charts.rates_chart(boots.rates(site)),
    }


def read_boot(site: Site, key: str) -> Values:
    now = time.time()
    story = boots.story(site, key, now=now)
    return {
        "boot": ladder.seen(story.attempt, now),
        "story": story,
        "fitting": find_fitting(site, story.attempt.missing, story.attempt.image)
        if story.attempt.missing
        else None,
        "speed": charts.fetches_chart(story.fetches, story.attempt.began),
    }


def read_jobs(site: Site, _argument: str) -> Values:
    return {"jobs": jobs.list_lines(site, JOBS_SHOWN)}


def read_job(site: Site, job_id: str) -> Values:
    job = jobs.get_job(site, _number(job_id))
    return {
        "job": job,
        "log": job.log[-LOG_LINES_SHOWN:],
        "can_retry": jobs.can_retry(job),
        "test_boots": booted_tests(site, [job]),
        "slugs": boots.image_slugs(site),
    }


def read_tests(site: Site, _argument: str) -> Values:
    tests = jobs.list_jobs(site, 10, kind="boot_test_machine")
    return {"tests": tests, "test_boots": booted_tests(site, tests)}


def read_checks(site: Site, _argument: str) -> Values:
    return {"checks": network.list_checks(site)}


def read_network(site: Site, _argument: str) -> Values:
    return {
        "serving": network.serving(site),
        "networks": networks.list_networks(site),
        "others": network.other_servers(site),
    }


def read_decisions(site: Site, argument: str) -> Values:
    """Boot requests with their answers. The argument is `all` or `ignored`, `:`, search text."""
    which, _, search = argument.partition(":")
    ignored = which == "ignored"
    return {
        "decisions": network.decisions(site, ignored_only=ignored, search=unquote(search)),
        "decisions_filtered": ignored or bool(search),
    }


def read_captures(site: Site, _argument: str) -> Values:
    return {"captures": network.list_captures(site)}


TOPICS = {
    "notice": Topic("parts/notice.html", read_notice, ("jobs",)),
    "activity": Topic("parts/activity.html", read_activity, ("jobs",)),
    "overview": Topic("overview/_state.html", read_overview, timed=True),
    "images": Topic("images/_list.html", read_images, RECIPES, timed=True),
    "image": Topic("images/_image.html", read_image, timed=True),
    "version": Topic("versions/_version.html", read_version),
    "source": Topic("images/_source.html", read_image),
    "points": Topic("points/_points.html", read_points, RECIPES, timed=True),
    "boots": Topic("boots/_list.html", read_boots, ("boots",), timed=True),
    "boot_charts": Topic("boots/_charts.html", read_boot_charts, ("boots",), timed=True),
    "boot": Topic("boots/_boot.html", read_boot, ("boots",), timed=True),
    "jobs": Topic("jobs/_list.html", read_jobs, ("jobs",)),
    "job": Topic("jobs/_job.html", read_job, ("jobs", "boots")),
    "checks": Topic("network/_checks.html", read_checks, ("jobs",)),
    "network": Topic("network/_state.html", read_network, (JOURNAL,), timed=True),
    "decisions": Topic("network/_decisions.html", read_decisions, (JOURNAL,)),
    "captures": Topic("network/_captures.html", read_captures, ("jobs",)),
    "tests": Topic("lab/_tests.html", read_tests, ("jobs", "boots", "catalog")),
}


def _notices() -> list[str]:
    """The part for the job that the last button started, if it started one."""
    said: list[Any] = list(get_flashed_messages(category_filter=["success"]))
    started = [text["job"] for text in said if isinstance(text, dict) and "job" in text]
    return [f"notice:{job}" for job in started[-1:]]


def page(template: str, *topics: str, **values: Any) -> str:
    """A page with these parts, like `images` or `image:lab-pe-x64`."""
    wanted = ("activity", *topics, *_notices())
    counters = read_counters(site())  # read first: a change in between is then a new version
    now = time.time()
    read: Values = {"versions": {text: version_of(text, counters, now) for text in wanted}}
    for text in wanted:
        topic, argument = topic_of(text)
        read |= topic.read(site(), argument)
    return render_template(template, topics=wanted, role=role_now(), **(read | values))
