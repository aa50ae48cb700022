"""Metrics for Prometheus: the state of the site, and the response times of the console.

https://prometheus.io/docs/instrumenting/exposition_formats/ Reading needs an API token, unless
the setting `metrics` is "open". Each process of the console counts its own answers in a file
(`share_measurements`); the process that Prometheus asks adds up all files.
https://prometheus.github.io/client_python/multiprocess/
"""

import os
import time
from collections import Counter as Tally
from collections.abc import Iterable
from pathlib import Path

import structlog
from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Gauge, Histogram, values
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from netboot.boot.told.attempt import Outcome
from netboot.errors import DatabaseFault, NetbootError
from netboot.operations import counts as metrics_facts
from netboot.operations import jobs, processes
from netboot.operations.accounts import audit
from netboot.operations.boots import boots, network, networks
from netboot.operations.boots.boots import BootFilter
from netboot.operations.images import images
from netboot.site import Site
from web.guard.access import Role, refuse_below, requires, site
from web.live.streams import Streams

log = structlog.get_logger(__name__)

metrics = Blueprint("metrics", __name__)

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The library's variable for the folder that several processes count in."""

JOBS_COUNTED = 500
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 10)


class SiteCollector(Collector):
    """Reads the site at each request and keeps nothing."""

    def __init__(self, app: Flask, site: Site) -> None:
        self._app, self._site = app, site

    def collect(self) -> Iterable[Metric]:
        """All that can be read: without the database, the processes and the disk remain."""
        yield from _processes()
        yield GaugeMetricFamily(
            "netboot_disk_free_bytes",
            "Free space for data.",
            metrics_facts.free_bytes(self._site),
        )
        with self._app.app_context():
            found, fault = self._from_database()
        up = float(not isinstance(fault, DatabaseFault))
        yield GaugeMetricFamily("netboot_database_up", "1 if the database answers.", up)
        yield from found

    def _from_database(self) -> tuple[list[Metric], NetbootError | None]:
        found: list[Metric] = []
        for read in (_images, _jobs, _boots, _store, _requests):
            try:
                found += read(self._site)
            except DatabaseFault as fault:  # the next would wait for it as long as this one
                return found, fault
            except NetbootError as fault:  # the journal or a point: the other figures are right
                log.warning("metrics.left_out", what=read.__name__, fault=str(fault))
        return found, None

    def describe(self) -> Iterable[Metric]:
        """Nothing: a request for the names must not read the site."""
        return ()


def _processes() -> Iterable[Metric]:
    up = GaugeMetricFamily("netboot_process_up", "1 while it runs.", labels=["process"])
    works = GaugeMetricFamily(
        "netboot_process_works", "1 while it can do its work.", labels=["process"]
    )
    restarts = CounterMetricFamily(
        "netboot_process_restarts", "Unexpected ends.", labels=["process"]
    )
    lost = CounterMetricFamily(
        "netboot_journal_lost", "Boot events that could not be written.", labels=["process"]
    )
    for state in processes.list_states():
        up.add_metric([state.name], float(state.running))
        works.add_metric([state.name], float(state.running and not state.trouble))
        restarts.add_metric([state.name], state.ended)
        lost.add_metric([state.name], state.lost)
    yield from (up, works, restarts, lost)


def _images(own_site: Site) -> Iterable[Metric]:
    newest = GaugeMetricFamily("netboot_image_version", "Newest version.", labels=["image"])
    served = GaugeMetricFamily("netboot_image_served", "Served version.", labels=["image"])
    current = GaugeMetricFamily(
        "netboot_image_current", "1 where machines get the newest version.", labels=["image"]
    )
    for view in images.list_images(own_site):
        newest.add_metric([view.name], view.current.number if view.current else 0)
        served.add_metric([view.name], view.served_version or 0)
        current.add_metric([view.name], float(str(view.distribution) == "CURRENT"))
    yield from (newest, served, current)


def _jobs(own_site: Site) -> Iterable[Metric]:
    states = GaugeMetricFamily(
        "netboot_jobs", f"Jobs among the newest {JOBS_COUNTED}.", labels=["kind", "state"]
    )
    tally = Tally((job.kind, job.state) for job in jobs.list_lines(own_site, JOBS_COUNTED))
    for (kind, state), count in sorted(tally.items()):
        states.add_metric([kind, state], count)
    yield states


def _boots(own_site: Site) -> Iterable[Metric]:
    outcomes = GaugeMetricFamily("netboot_boots", "Boots in the boot log.", labels=["outcome"])
    for outcome in Outcome:
        counted = boots.count(own_site, BootFilter(outcome=outcome))
        outcomes.add_metric([outcome.value], counted)
    yield outcomes
    rates = [rate for _, rate in boots.rates(own_site, 20)]
    if rates:
        yield GaugeMetricFamily(
            "netboot_image_bytes_per_second",
            "Mean transfer rate of the latest images.",
            sum(rates) / len(rates),
        )


def _store(own_site: Site) -> Iterable[Metric]:
    counted = metrics_facts.counts(own_site)
    drivers = GaugeMetricFamily("netboot_drivers", "Drivers in the catalog.", labels=["enabled"])
    for enabled in (True, False):
        drivers.add_metric([str(enabled).lower()], counted.drivers.get(enabled, 0))
    yield drivers
    yield GaugeMetricFamily("netboot_machines", "Known machines.", counted.machines)
    yield CounterMetricFamily("netboot_audit_entries", "Audit entries.", audit.count(own_site))
    yield CounterMetricFamily("netboot_journal_events", "Boot events.", counted.events)
    yield GaugeMetricFamily(
        "netboot_journal_set_aside", "Boot events that are in no boot.", counted.set_aside
    )


def _requests(own_site: Site) -> Iterable[Metric]:
    came = CounterMetricFamily(
        "netboot_boot_requests", "Requests to the boot services.", labels=["service", "outcome"]
    )
    serving = network.serving(own_site)
    for service, counts in serving.counts.items() if serving else ():
        for outcome, count in counts.items():
            came.add_metric([service, outcome], count)
    yield came
    answered = GaugeMetricFamily(
        "netboot_network_served",
        "Whether machines in this network get answers.",
        labels=["network"],
    )
    heard = CounterMetricFamily(
        "netboot_network_requests", "Boot requests in this network.", labels=["network"]
    )
    for one in networks.list_networks(own_site):
        answered.add_metric([one.name], one.state in networks.SERVED)
        heard.add_metric([one.name], one.heard)
    yield from (answered, heard)


@metrics.get("/metrics")
@requires(Role.PUBLIC)
def read() -> Response:
    """All metrics, in the requested format."""
    if site().settings.metrics != "open":
        refusal = refuse_below(Role.VIEWER)
        assert refusal is None  # for scripts it aborts instead
    registry = CollectorRegistry()
    for collector in current_app.extensions["netboot_metrics"]:
        registry.register(collector)
    if SHARED in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    encoder, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encoder(registry), content_type=content_type)


def share_measurements(folder: Path) -> None:
    """Let this process measure into its own file, which the other processes read.

    Call it before the application is created, in a folder without files of an earlier run.
    """
    os.environ[SHARED] = str(folder)
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]


def init_metrics(app: Flask, site: Site) -> None:
    """Measure every answer since `g.began`, and register the page for Prometheus."""
    seconds = Histogram(
        "netboot_http_request_seconds",
        "Response time by view.",
        ["view", "status"],
        registry=None,
        buckets=BUCKETS,
    )
    streams: Streams = app.extensions["netboot_streams"]
    live = Gauge(
        "netboot_live_streams", "Open live pages.", registry=None, multiprocess_mode="livesum"
    )
    streams.report = live.set
    live.set(0)

    def measure(response: Response) -> Response:
        if "began" in g and not response.is_streamed:
            took = time.perf_counter() - g.began
            view = request.endpoint or "none"
            seconds.labels(view, f"{response.status_code // 100}xx").observe(took)
        return response

    # With several processes, the files contain the values of these two.
    own = (
        (SiteCollector(app, site),)
        if SHARED in os.environ
        else (SiteCollector(app, site), seconds, live)
    )
    app.extensions["netboot_metrics"] = own
    app.after_request(measure)
    app.register_blueprint(metrics)
