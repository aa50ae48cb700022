"""What Prometheus reads."""

import json
import os

import pytest
from prometheus_client.parser import text_string_to_metric_families

from netboot.boot.told.events import NetworksChanged
from netboot.errors import DatabaseFault
from netboot.operations import processes
from netboot.operations.accounts import accounts, tokens
from netboot.operations.processes import BOARD, Board, OwnReport, ProcessState
from netboot.store.database.site_database import Database
from web.app import create_app


def read(client, **headers):
    """All samples by name and labels."""
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_the_site_is_told_in_numbers(shared_site, make_client):
    """Images, drivers, boots, answers of the page."""
    client = make_client(shared_site, "viewer")
    client.get("/images/")
    found = read(client)

    assert found["netboot_image_version", "Lab PE x64"] == 2
    assert found["netboot_image_served", "Lab PE x64"] == 1
    assert found["netboot_image_current", "Lab PE x64"] == 0
    assert found["netboot_drivers", "true"] == 4
    assert found["netboot_boots", "offline"] == 1
    assert found["netboot_http_request_seconds_count", "2xx", "images.index"] == 1
    assert found["netboot_disk_free_bytes",] > 0


def test_prometheus_reads_with_a_token(shared_site, make_client):
    """Nobody else reads, unless the settings say so."""
    client = make_client(shared_site, "anonymous")
    vera = accounts.get_account(shared_site, "vera")
    _, token = tokens.create_token(shared_site, vera, "prometheus")

    assert client.get("/metrics").status_code == 401
    assert read(client, Authorization=f"Bearer {token}")


def test_the_settings_may_open_it(furnished, monkeypatch):
    """For a network where only Prometheus comes by."""
    monkeypatch.setenv("NETBOOT_METRICS", "open")

    assert read(create_app(furnished).test_client())


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "text/plain"),
        ("application/openmetrics-text; version=1.0.0", "application/openm"),
    ],
)
def test_the_format_is_the_one_that_was_asked_for(shared_site, make_client, accept, expected):
    """Prometheus prefers OpenMetrics."""
    answer = make_client(shared_site, "viewer").get("/metrics", headers={"Accept": accept})

    assert answer.content_type.startswith(expected)


def test_processes_are_told_even_without_a_database(furnished, monkeypatch):
    """What does not need it is answered, and that it is away."""
    monkeypatch.setenv("NETBOOT_METRICS", "open")
    board = Board.create()
    monkeypatch.setenv(BOARD, str(board.fd))
    board.note("worker", {"running": True, "ended": 2, "reason": "by SIGKILL"})
    OwnReport("worker").trouble("jobs", "the database is gone")
    client = create_app(furnished).test_client()
    assert read(client)["netboot_database_up",] == 1

    def gone(*_, **__):
        raise DatabaseFault("the database is gone")

    monkeypatch.setattr(Database, "transaction", gone)
    found = read(client)
    os.close(board.fd)

    assert found["netboot_database_up",] == 0
    assert found["netboot_process_up", "worker"] == 1
    assert found["netboot_process_works", "worker"] == 0
    assert found["netboot_process_restarts_total", "worker"] == 2
    assert found["netboot_disk_free_bytes",] > 0


def test_without_a_database_a_page_says_so_and_what_the_processes_do(
    furnished, make_client, monkeypatch
):
    """It needs no signed-in user for that, who is in the database."""
    client = make_client(furnished)
    monkeypatch.setattr(
        processes, "list_states", lambda: (ProcessState("worker", running=True, trouble="locked"),)
    )

    def gone(*_, **__):
        raise DatabaseFault("the database is locked", hint="Wait.")

    monkeypatch.setattr(Database, "transaction", gone)
    answer = client.get("/")

    assert answer.status_code == 503
    assert "The database is locked." in answer.text
    assert "The process worker cannot do its work and tries again: locked." in answer.text
    assert "continue to boot" in answer.text


def test_each_network_says_whether_it_is_served_and_what_it_heard(furnished, make_client):
    """What an alert about a cable needs."""
    lines = [
        {"name": "eth0", "state": "serves", "heard": 7},
        {"name": "eth9", "state": "waits", "reason": "there is no network interface eth9"},
    ]
    furnished.journal.emit(NetworksChanged(at=1.0, networks=json.dumps(lines)))
    assert furnished.journal.flush()
    text = make_client(furnished, "viewer").get("/metrics").text

    assert 'netboot_network_served{network="eth0"} 1.0' in text
    assert 'netboot_network_served{network="eth9"} 0.0' in text
    assert 'netboot_network_requests_total{network="eth0"} 7.0' in text
