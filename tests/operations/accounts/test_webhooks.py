"""Webhooks: what may be asked for, and who is told what."""

import pytest

from netboot.errors import InvalidInput, NotFound
from netboot.operations.accounts import webhooks
from netboot.operations.accounts.webhooks import Happening, queue, wants


@pytest.mark.parametrize(
    ("patterns", "event", "expected"),
    [
        (["boot.*"], "boot.offline", True),
        (["boot.*"], "job.failed", False),
        (["*"], "audit.images.build", True),
        (["audit.images.*"], "audit.images.build", True),
        (["job.failed", "boot.online"], "boot.online", True),
    ],
)
def test_patterns_fit_events(patterns, event, expected):
    """A star stands for anything."""
    assert wants(patterns, event) == expected


@pytest.mark.parametrize(
    "url",
    ["", "chat.example", "ftp://x.example/", "http://", "http://a b/", "http://x:0/", "http://[/"],
)
def test_an_address_that_nobody_could_be_told_at_is_refused(site, url):
    """Only http and https, with a host."""
    with pytest.raises(InvalidInput):
        webhooks.add_webhook(site, url, ["*"])


def test_a_refusal_does_not_repeat_the_address(site):
    """The addresses of chat services have a key in them."""
    with pytest.raises(InvalidInput) as caught:
        webhooks.add_webhook(site, "htps://chat.example/hooks/k3y-in-it", ["*"])
    assert "k3y-in-it" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("events", [[], [" "], ["Boot"], ["a b"], ["x"] * 1 + ["9"]])
def test_events_that_make_no_sense_are_refused(site, events):
    """The hint names those there are."""
    with pytest.raises(InvalidInput) as caught:
        webhooks.add_webhook(site, "https://x.example/", events)
    assert "boot.offline" in caught.value.hint


def test_only_those_who_want_to_know_are_told(site):
    """Switched off ones are told nothing; what waits for them is kept."""
    boots, secret = webhooks.add_webhook(site, "https://x.example/a", ["boot.*"])
    jobs, other = webhooks.add_webhook(site, "https://x.example/b", ["job.*"])
    webhooks.change_webhook(site, jobs.id, enabled=False)
    with site.database.writing() as session:
        happened = [Happening("boot.online", 1.0, {"mac": "x"}), Happening("job.failed", 1.0, {})]
        queue(session, happened, now=2.0)

    assert secret != other
    assert [one.event for one in webhooks.deliveries(site, boots.id)] == ["boot.online"]
    assert webhooks.deliveries(site, jobs.id) == []
    webhooks.remove_webhook(site, boots.id)
    with pytest.raises(NotFound):
        webhooks.deliveries(site, boots.id)
    assert [jobs.id] == [one.id for one in webhooks.list_webhooks(site)]
