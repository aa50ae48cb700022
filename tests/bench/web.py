"""Benchmark of the console: pages, live events and the first view on a large site under load.

`python -m tests.bench.web [--quick]`. Ten administrators click through every page that links
lead to, each with a live page open, while two hundred machines boot. The seconds of a page are
the server's own (Server-Timing); the table also shows what the clients waited, and what the page
costs alone: processor time, statements, bytes. The last line is one JSON object.
"""

import argparse
import json
import math
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sqlalchemy import event

from netboot.boot.told.events import Discovered
from netboot.site import Site
from tests.bench import web_site
from tests.bench.bench_table import conclude, print_table
from tests.web import conftest
from tests.web.support.consoles import ROOT, running_console
from tests.web.support.crawling import every_page, kind_of
from tests.web.support.seeding import NAMES, PASSWORD
from web.app import create_app

ADMINISTRATORS = 10
BOOTING = 200
THINKING = (0.3, 1.2)
"""Seconds between two clicks of an administrator."""

SECONDS = 300.0
"""Some fifty clicks on each page: of twenty, one slow answer would be the 95th of a hundred."""

PROBES = 100
SEED = 7
GOALS = {
    "slowest_page_p95_ms": ("<=", 150.0),
    "first_view_kilobytes": ("<=", 1000.0),
    "live_event_p95_seconds": ("<=", 0.5),
    "failed_requests": ("<=", 0.0),
}


@dataclass
class Clicks:
    """What all administrators saw, by page: the server's milliseconds and the client's."""

    server: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    client: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    parts: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, page: str, response: httpx.Response, seconds: float) -> None:
        """One answer."""
        timing = re.search(r"app;dur=([\d.]+)", response.headers.get("Server-Timing", ""))
        with self.lock:
            if response.status_code != 200 or timing is None:
                self.failed.append(f"{page}: {response.status_code}")
                return
            self.server[page].append(float(timing[1]))
            self.client[page].append(seconds * 1000)

    def add_part(self, topic: str, response: httpx.Response, seconds: float) -> None:
        """A part of an open page that was fetched again."""
        with self.lock:
            if response.status_code not in {200, 304}:
                self.failed.append(f"part {topic}: {response.status_code}")
            self.parts.append(seconds * 1000)


def percentile(values: list[float], part: float = 0.95) -> float:
    """The least value that 95 of 100 do not exceed (nearest rank)."""
    return sorted(values)[math.ceil(part * len(values)) - 1]


def sign_in(url: str) -> dict[str, str]:
    """The cookies of an administrator."""
    with httpx.Client(base_url=url, follow_redirects=True) as client:
        form = client.get("/sign-in").text
        token = re.search(r'name="csrf_token" value="([^"]+)"', form)
        assert token is not None
        fields = {"name": NAMES["admin"], "password": PASSWORD, "csrf_token": token[1]}
        client.post("/sign-in", data=fields)
        return dict(client.cookies)


def pages_of(client: httpx.Client) -> dict[str, str]:
    """Every page to click: one of each kind that links lead to, and searches in what is large."""
    pages = {kind_of(page.path): page.path for page in every_page(client)}
    return pages | {
        "drivers: search": "/drivers/?search=d1999",
        "drivers: by id": "/drivers/?search=PCI%5CVEN_1042",
        "drivers: no hit": "/drivers/?search=nothing-like-it",
        "coverage: all machines": "/images/pe-1/coverage?machines=all",
        "coverage: as served": "/images/pe-1/coverage?machines=all&version=served",
        "machines: by device": "/machines/?search=8086%3A100e",
        "machines: last page": "/machines/?page=200",
        "boots: search": "/boots/?search=52:54:00:00:12",
        "boots: no hit": "/boots/?search=nothing-like-it",
        "boots: offline": "/boots/?outcome=offline",
        "boots: one image": "/boots/?image=PE+3",
        "boots: last week": f"/boots/?before={time.time() - 7 * 86400:.0f}",
    }


@dataclass(frozen=True)
class Cost:
    """What a page costs when it is the only one."""

    processor_ms: float
    statements: int
    kilobytes: float


def costs_of(site: Site, pages: dict[str, str]) -> dict[str, Cost]:
    """Each page twice, the second time counted: what is done once is no page's cost."""
    statements = 0

    def count(*_: object) -> None:
        nonlocal statements
        statements += 1

    app = create_app(site)
    client = app.test_client()
    conftest.sign_in(client, site, "admin")
    event.listen(site.database.engine, "before_cursor_execute", count)
    found = {}
    for name, path in pages.items():
        client.get(path)
        statements, began = 0, time.thread_time()
        answer = client.get(path)
        taken = 1000 * (time.thread_time() - began)
        found[name] = Cost(taken, statements, len(answer.data) / 1000)
    event.remove(site.database.engine, "before_cursor_execute", count)
    return found


def click(  # noqa: PLR0917
    url: str, cookies: dict[str, str], pages: dict[str, str], clicks: Clicks,
    stop: threading.Event, seed: int,
) -> None:  # fmt: skip
    """One administrator, until it is time to stop."""
    chance = random.Random(seed)
    with httpx.Client(base_url=url, cookies=cookies, timeout=60) as client:
        while not stop.wait(chance.uniform(*THINKING)):
            name = chance.choice(list(pages))
            began = time.perf_counter()
            clicks.add(name, client.get(pages[name]), time.perf_counter() - began)


REST, LEAST_REST, TAKES = 4, 0.25, 3
"""A part rests for so many times what the quickest of the last fetches took, and so many seconds,
as in console.js."""


def follow(  # noqa: PLR0917
    url: str, cookies: dict[str, str], topics: list[str], stop: threading.Event,
    clicks: Clicks, shown: Callable[[str], None] = lambda _html: None,
) -> None:  # fmt: skip
    """An open page as console.js keeps it: a stream of versions, and each part that is newer.

    `shown` is called with a part's HTML as soon as it is there.
    """
    wanted: dict[str, str] = {}
    news = threading.Condition()

    def keep_up(topic: str) -> None:
        has, etag = "", ""
        took: deque[float] = deque(maxlen=TAKES)
        with httpx.Client(base_url=url, cookies=cookies, timeout=60) as client:
            while not stop.is_set():
                with news:
                    if not news.wait_for(lambda has=has: wanted.get(topic, "") != has, timeout=0.5):
                        continue
                    version = wanted[topic]
                began = time.perf_counter()
                headers = {"If-None-Match": etag} if etag else {}
                answer = client.get("/live/part", params={"topic": topic}, headers=headers)
                taken = time.perf_counter() - began
                clicks.add_part(topic, answer, taken)
                if answer.status_code == 200:
                    shown(answer.text)
                has, etag = version, answer.headers.get("ETag", etag)
                took.append(taken)
                stop.wait(max(LEAST_REST, REST * min(took)))

    parts = [threading.Thread(target=keep_up, args=(topic,), daemon=True) for topic in topics]
    for part in parts:
        part.start()
    with (
        httpx.Client(base_url=url, cookies=cookies, timeout=60) as client,
        client.stream("GET", "/live", params=[("topic", topic) for topic in topics]) as response,
    ):
        for line in response.iter_lines():
            if line.startswith("data: {"):
                with news:
                    wanted.update(json.loads(line.removeprefix("data: ")))
                    news.notify_all()
            if stop.is_set():
                return


def live_seconds(  # noqa: PLR0917
    site: Site, url: str, cookies: dict[str, str], probes: int, seconds: float, clicks: Clicks
) -> list[float]:
    """From an event of a machine to the moment at which the open page of boots has it."""
    emitted: dict[str, float] = {}
    seen: dict[str, float] = {}
    news, stop = threading.Condition(), threading.Event()

    def shown(html: str) -> None:
        now = time.perf_counter()
        with news:
            for mac in set(re.findall(r"de:ad:be:ef:[0-9a-f:]{5}", html)):
                seen.setdefault(mac, now)
            news.notify_all()

    page = (url, cookies, ["boots:"], stop, clicks, shown)
    threading.Thread(target=follow, args=page, daemon=True).start()
    chance = random.Random(SEED)
    for number in range(probes):
        mac = f"de:ad:be:ef:{number >> 8:02x}:{number & 255:02x}"
        # All through the run, at no special moment of the server's rounds.
        time.sleep(chance.uniform(0.2, 1.2) * seconds / probes)
        emitted[mac] = time.perf_counter()
        site.journal.emit(
            Discovered(at=time.time(), mac=mac, architecture="x64", firmware="uefi", stage="x")
        )
        with news:
            news.wait_for(lambda mac=mac: mac in seen, timeout=10)  # type: ignore[misc]
    stop.set()
    return [seen.get(mac, at + 10.0) - at for mac, at in emitted.items()]


def first_view(url: str, cookies: dict[str, str]) -> tuple[float, float]:
    """Bytes that the overview needs at first, as they are sent and unpacked."""
    sent = unpacked = 0.0
    with httpx.Client(base_url=url, cookies=cookies) as client:
        page = client.get("/")
        assets = set(re.findall(r'(?:src|href)="(/assets/[^"#]+)', page.text))
        for response in (page, *(client.get(path) for path in assets)):
            unpacked += len(response.content)
            sent += response.num_bytes_downloaded
    return sent, unpacked


def measure(data: Path, seconds: float, probes: int) -> tuple[dict[str, float | None], object]:
    """All figures on a filled site."""
    site = Site.open(data)
    clicks, stop = Clicks(), threading.Event()
    with running_console(data) as console:
        cookies = sign_in(console.url)
        with httpx.Client(base_url=console.url, cookies=cookies, timeout=60) as client:
            pages = pages_of(client)
            costs = costs_of(site, pages)
            for path in pages.values():  # what a server does once is not what a page takes
                client.get(path)
        load = [sys.executable, "-m", "tests.bench.web_site", str(data)]
        booting = subprocess.Popen(
            [*load, str(BOOTING), "0", str(seconds)], cwd=ROOT, stdout=subprocess.PIPE
        )
        threads = [
            threading.Thread(
                target=click, args=(console.url, cookies, pages, clicks, stop, number), daemon=True
            )
            for number in range(ADMINISTRATORS)
        ]
        streams = ["overview", "boots:", "jobs", "images", "points"]
        threads += [
            threading.Thread(
                target=follow,
                args=(console.url, cookies, ["activity", streams[number % 5]], stop, clicks),
                daemon=True,
            )
            for number in range(ADMINISTRATORS)
        ]
        for thread in threads:
            thread.start()
        live = live_seconds(site, console.url, cookies, probes, seconds, clicks)
        booting.wait(seconds + 120)
        stop.set()
        for thread in threads:
            thread.join(30)
        sent, unpacked = first_view(console.url, cookies)
    site.journal.close()
    site.database.close()
    return figures_of(clicks, costs, live, sent, unpacked)


COLUMNS = (
    *("page", "clicks", "median ms", "p95 ms", "slowest ms", "p95 ms at the client"),
    *("processor ms, alone", "statements", "kB"),
)


def figures_of(
    clicks: Clicks, costs: dict[str, Cost], live: list[float], sent: float, unpacked: float
) -> tuple[dict[str, float | None], object]:
    """The figures, and a table of all pages, the slowest first."""
    rows = []
    for page, values in sorted(clicks.server.items(), key=lambda item: -percentile(item[1])):
        cost = costs[page]
        times = (
            *(statistics.median(values), percentile(values), max(values)),
            *(percentile(clicks.client[page]), cost.processor_ms),
        )
        shown = (*(f"{one:.1f}" for one in times), str(cost.statements), f"{cost.kilobytes:.0f}")
        rows.append([page, str(len(values)), *shown])
    print_table("pages", COLUMNS, rows)
    for failure in clicks.failed[:10]:
        print(f"  failed: {failure}")
    everything = [value for values in clicks.server.values() for value in values]
    figures: dict[str, float | None] = {
        "clicks": float(len(everything)),
        "failed_requests": float(len(clicks.failed)),
        "all_pages_p95_ms": percentile(everything) if everything else None,
        "pages": float(len(clicks.server)),
        "parts_fetched": float(len(clicks.parts)),
        "parts_p95_ms": percentile(clicks.parts) if clicks.parts else None,
        "dearest_page_processor_ms": max(cost.processor_ms for cost in costs.values()),
        "slowest_page_p95_ms": max(map(percentile, clicks.server.values()), default=None),
        "live_event_median_seconds": statistics.median(live),
        "live_event_p95_seconds": percentile(live),
        "first_view_kilobytes": unpacked / 1000,
        "first_view_sent_kilobytes": sent / 1000,
    }
    return figures, {"pages": [dict(zip(COLUMNS, row, strict=True)) for row in rows]}


def main() -> None:
    """Fill a site, measure it, say what came out."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="the same site, a shorter run")
    quick = options.parse_args().quick
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        site = Site.open(data)
        began = time.perf_counter()
        web_site.fill(site, drivers=20_000, machine_count=10_000, boots=100_000)
        site.database.close()
        print(f"20,000 drivers, 10,000 machines, 100,000 boots: filled in "
              f"{time.perf_counter() - began:.0f} s")  # fmt: skip
        figures, details = measure(data, 20.0 if quick else SECONDS, 15 if quick else PROBES)
    conclude("web", figures, GOALS, details=details, quick=quick)


if __name__ == "__main__":
    main()
