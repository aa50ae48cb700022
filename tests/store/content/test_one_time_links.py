"""What may be taken once."""

import threading

import pytest

from netboot.store.content.one_time_links import Ticket, Tickets

NOW = 1_700_000_000.0
TICKET = Ticket("netboot-disk.sh", "text/x-shellscript", b"#!/bin/sh\n\0\xff", ("PE", 7))


@pytest.fixture
def tickets(tmp_path):
    return Tickets(tmp_path)


def test_a_ticket_is_taken_once(tickets):
    """The second time there is nothing."""
    token = tickets.issue(TICKET, now=NOW, until=NOW + 60)

    assert tickets.take(token, now=NOW + 1) == TICKET
    assert tickets.take(token, now=NOW + 2) is None


def test_of_many_who_come_at_once_one_gets_it(tickets):
    token = tickets.issue(TICKET, now=NOW, until=NOW + 60)
    got, gate = [], threading.Barrier(16)

    def come():
        gate.wait()
        got.append(tickets.take(token, now=NOW))

    threads = [threading.Thread(target=come) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [one for one in got if one is not None] == [TICKET]


def test_an_old_ticket_is_worth_nothing_and_goes(tickets, tmp_path):
    """When it is shown, and when the next one is made."""
    old = tickets.issue(TICKET, now=NOW, until=NOW + 60)

    assert tickets.take(old, now=NOW + 61) is None
    tickets.issue(TICKET, now=NOW, until=NOW + 60)
    tickets.issue(TICKET, now=NOW + 100, until=NOW + 200)
    assert len(list((tmp_path / "tickets").iterdir())) == 1


@pytest.mark.parametrize("token", ["", "../../secret", "x" * 15, "a/b" * 10, "é" * 20, "x" * 65])
def test_what_is_no_token_is_not_looked_up(tickets, token):
    """Nothing of it becomes a path."""
    assert tickets.take(token, now=NOW) is None


def test_the_token_is_kept_nowhere(tickets, tmp_path):
    """Who reads the folder can take nothing."""
    token = tickets.issue(TICKET, now=NOW, until=NOW + 60)
    (path,) = (tmp_path / "tickets").iterdir()

    assert token not in path.name
    assert token not in path.read_text()
