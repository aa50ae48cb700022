"""What webhooks are sent is queued once, in the transaction that reads it."""

import time

import pytest

from netboot.daemons.projector import catch_up
from netboot.operations import jobs
from netboot.operations.accounts import audit, happenings, webhooks
from tests.web.support.seeding import boot_events, tell


@pytest.fixture
def hook(any_site):
    """A webhook for everything, on a site where events were read before."""
    tell(any_site, *boot_events("52:54:00:00:00:01"))
    return webhooks.add_webhook(any_site, "http://203.0.113.7/", ["*"])[0]


def queued(site, hook):
    """The names of the messages that were queued, oldest first."""
    catch_up(site)
    return [one.event for one in reversed(webhooks.deliveries(site, hook.id))]


def test_boots_changes_and_jobs_are_queued_once_each(any_site, hook):
    """In the order in which they are read."""
    tell(any_site, *boot_events("52:54:00:00:00:02", online=False))
    job = jobs.submit(any_site, "clean_up", {}, title="Clean up")
    jobs.cancel(any_site, job.id)
    audit.record(any_site, actor="ada", via="cli", action="images.build", subject="images/a")

    assert queued(any_site, hook) == ["boot.offline", "audit.images.build", "job.cancelled"]
    assert len(queued(any_site, hook)) == 3


def test_what_happened_before_the_first_look_is_not_queued(site):
    """The journal, the audit log and the jobs of a site that never had a webhook may be long."""
    site.journal.emit(boot_events()[-1])
    assert site.journal.flush()
    audit.record(site, actor="ada", via="cli", action="old", subject="")
    jobs.cancel(site, jobs.submit(site, "clean_up", {}, title="Clean up").id)
    hook, _ = webhooks.add_webhook(site, "http://203.0.113.7/", ["*"])
    assert queued(site, hook) == []
    audit.record(site, actor="ada", via="cli", action="new", subject="")

    assert queued(site, hook) == ["audit.new"]


def test_there_is_news_only_where_something_happened(site):
    """The projector asks this four times a second."""

    def has_news():
        with site.database.transaction() as session:
            return happenings.has_news(session)

    assert has_news()
    catch_up(site)
    assert not has_news()
    audit.record(site, actor="ada", via="cli", action="new", subject="")
    assert has_news()
    catch_up(site)
    jobs.cancel(site, jobs.submit(site, "clean_up", {}, title="Clean up").id)
    assert has_news()
    catch_up(site)
    assert not has_news()


def test_a_transaction_that_fails_queues_nothing_and_loses_nothing(site):
    """The mark is kept together with the messages."""
    catch_up(site)
    hook, _ = webhooks.add_webhook(site, "http://203.0.113.7/", ["*"])
    audit.record(site, actor="ada", via="cli", action="new", subject="")
    with pytest.raises(ZeroDivisionError), site.database.writing() as session:
        happenings.collect(session, now=time.time())
        _ = 1 // 0

    assert webhooks.deliveries(site, hook.id) == []
    assert queued(site, hook) == ["audit.new"]
