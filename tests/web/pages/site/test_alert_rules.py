"""Alert rules and dashboard speak of metrics that /metrics has."""

import json
import re
import shutil
import subprocess

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from netboot.boot.told.events import DhcpStarted, RequestsCounted
from netboot.operations import jobs, processes
from netboot.site import Site
from tests.help.built_pages import ROOT, headings, page
from tests.web.conftest import close
from tests.web.support import seeding
from web.app import create_app

FOLDER = ROOT / "docs" / "monitoring"
ALERTS = FOLDER / "alerts.yml"
OF_PROMETHEUS = {"up"}
NAME = re.compile(r"\bnetboot_\w+|\bup\b")
LABELS = re.compile(r"(\w+)\{([^}]*)\}")


@pytest.fixture(scope="module")
def families(furnished_folder, tmp_path_factory):
    """What a site with images, boots, a job and a worker's report shows."""
    data = shutil.copytree(furnished_folder, tmp_path_factory.mktemp("measured") / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETBOOT_METRICS", "open")
        site = Site.open(data)
        jobs.submit(site, "build_version", {"image": "Lab PE x64"}, title="A job")
        seeding.tell(
            site,
            DhcpStarted(at=1.0, interface="eth0", address="192.0.2.10"),
            RequestsCounted(at=2.0, service="DHCP", counts='{"answered": 1}'),
        )
        running = (processes.ProcessState("worker", running=True),)
        patch.setattr(processes, "list_states", lambda: running)
        client = create_app(site).test_client()
        client.get("/sign-in")
        text = client.get("/metrics").text
    close(site)
    return list(text_string_to_metric_families(text))


@pytest.fixture(scope="module")
def samples(families):
    found = {}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def alerts():
    return [
        rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
    ]


def expressions():
    """Every expression of the rules and of the dashboard, with what it is for."""
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["definition"]


def test_every_expression_names_metrics_that_there_are(samples):
    """A renamed metric would never fire."""
    for what, expression in expressions():
        named = set(NAME.findall(expression)) - OF_PROMETHEUS
        assert named or "up{" in expression, what
        assert named - set(samples) == set(), what


def test_every_label_is_one_of_its_metric(samples):
    for what, expression in expressions():
        for name, inside in LABELS.findall(expression):
            if name in samples:
                used = set(re.findall(r"(\w+)\s*=~?", inside)) - {"instance", "job"}
                assert used - samples[name] == set(), (what, name)
    for rule in alerts():
        used = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        named = set(NAME.findall(rule["expr"])) - OF_PROMETHEUS
        known = {label for name in named for label in samples[name]}
        assert used - known - {"instance"} == set(), rule["alert"]


def test_every_outcome_that_a_rule_waits_for_is_counted(families):
    counted = {
        sample.labels["outcome"]
        for family in families
        if family.name == "netboot_boots"
        for sample in family.samples
    }
    for what, expression in expressions():
        for wanted in re.findall(r'outcome=~?"([^"]+)"', expression):
            assert set(wanted.split("|")) <= counted, what


def test_every_alert_says_what_happened_and_what_to_do():
    for rule in alerts():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["annotations"]["description"].endswith("."), rule["alert"]


def test_the_chapter_lists_every_metric_and_every_alert(help_folder, families):
    """As they are, and no other."""
    rows = page(help_folder, "monitoring").select("table tr")
    firsts = [row.find("td").get_text() for row in rows if row.find("td")]
    shown = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in families
        if not family.name.endswith("_created")  # when a histogram began, which nobody watches
    }
    assert {first for first in firsts if first.startswith("netboot_")} == shown
    assert [one for one in firsts if one.startswith("Netboot")] == [
        rule["alert"] for rule in alerts()
    ]
    assert "What to watch" in headings(help_folder, "monitoring", "h2")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_itself_takes_the_rules():
    done = subprocess.run(
        ["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_fills_its_grid_without_overlap():
    """No panel covers another, and each has an own number."""
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
