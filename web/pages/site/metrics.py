"""What Prometheus reads: how the site stands, and how the page answers.

https://prometheus.io/docs/instrumenting/exposition_formats/ Whoever has an API token may read,
or everybody where the setting `metrics` says "open".
"""

import time
from collections import Counter as Tally
from collections.abc import Iterable

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from netboot.boot.told.attempt import Outcome
from netboot.operations import counts as metrics_facts
from netboot.operations import jobs
from netboot.operations.accounts import audit
from netboot.operations.boots import boots, network
from netboot.operations.boots.boots import BootFilter
from netboot.operations.images import images
from netboot.site import Site
from web.guard.access import Role, refuse_below, requires, site
from web.live.streams import Streams

metrics = Blueprint("metrics", __name__)

JOBS_COUNTED = 500
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 10)


class SiteCollector(Collector):
    """Reads the site when Prometheus asks; nothing is kept between two readings."""

    def __init__(self, app: Flask, site: Site) -> None:
        self._app, self._site = app, site

    def collect(self) -> Iterable[Metric]:
        """All that the site tells of itself."""
        yield from _images(self._site)
        yield from _jobs(self._site)
        with self._app.app_context():
            yield from _boots(self._site)
        yield from _store(self._site)
        yield from _requests(self._site)
        streams: Streams = self._app.extensions["netboot_streams"]
        yield GaugeMetricFamily("netboot_live_streams", "Open live pages.", streams.open)

    def describe(self) -> Iterable[Metric]:
        """Nothing: asking for names must not read the site."""
        return ()


def _images(own_site: Site) -> Iterable[Metric]:
    newest = GaugeMetricFamily("netboot_image_version", "Newest version.", labels=["image"])
    served = GaugeMetricFamily("netboot_image_served", "What machines get.", labels=["image"])
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
    outcomes = GaugeMetricFamily("netboot_boots", "Boots that are remembered.", labels=["outcome"])
    for outcome in Outcome:
        counted = boots.count(own_site, BootFilter(outcome=outcome))
        outcomes.add_metric([outcome.value], counted)
    yield outcomes
    rates = [rate for _, rate in boots.rates(own_site, 20)]
    if rates:
        yield GaugeMetricFamily(
            "netboot_image_bytes_per_second",
            "Mean rate of the newest images sent.",
            sum(rates) / len(rates),
        )


def _store(own_site: Site) -> Iterable[Metric]:
    counted = metrics_facts.counts(own_site)
    drivers = GaugeMetricFamily("netboot_drivers", "Drivers in the catalog.", labels=["enabled"])
    for enabled in (True, False):
        drivers.add_metric([str(enabled).lower()], counted.drivers.get(enabled, 0))
    yield drivers
    yield GaugeMetricFamily("netboot_machines", "Machines that are known.", counted.machines)
    yield CounterMetricFamily("netboot_audit_entries", "Audit entries.", audit.count(own_site))
    yield CounterMetricFamily("netboot_journal_events", "Boot events.", counted.events)
    yield GaugeMetricFamily("netboot_disk_free_bytes", "Free in the data folder.", counted.free)


def _requests(own_site: Site) -> Iterable[Metric]:
    came = CounterMetricFamily(
        "netboot_boot_requests", "What came to the boot services.", labels=["service", "outcome"]
    )
    serving = network.serving(own_site)
    for service, counts in serving.counts.items() if serving else ():
        for outcome, count in counts.items():
            came.add_metric([service, outcome], count)
    yield came


@metrics.get("/metrics")
@requires(Role.PUBLIC)
def read() -> Response:
    """All metrics, in the format that was asked for."""
    if site().settings.metrics != "open":
        refusal = refuse_below(Role.VIEWER)
        assert refusal is None  # for scripts it aborts instead
    registry: CollectorRegistry = current_app.extensions["netboot_metrics"]
    encoder, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encoder(registry), content_type=content_type)


def _begin() -> None:
    g.began_at = time.perf_counter()


def init_metrics(app: Flask, site: Site) -> None:
    """Measure every answer, and give Prometheus its page."""
    registry = CollectorRegistry()
    registry.register(SiteCollector(app, site))
    seconds = Histogram(
        "netboot_http_request_seconds",
        "How long answers took, by view.",
        ["view", "status"],
        registry=registry,
        buckets=BUCKETS,
    )

    def measure(response: Response) -> Response:
        if "began_at" in g and not response.is_streamed:
            took = time.perf_counter() - g.began_at
            view = request.endpoint or "none"
            seconds.labels(view, f"{response.status_code // 100}xx").observe(took)
        return response

    app.extensions["netboot_metrics"] = registry
    app.before_request(_begin)
    app.after_request(measure)
    app.register_blueprint(metrics)
