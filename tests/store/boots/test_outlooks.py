"""Rows of outlooks: they are what was said last, of the machines that were named."""

from netboot.store.boots import outlooks
from netboot.store.boots.outlooks import StoredOutlook

ONE, OTHER = "52:54:00:77:00:01", "52:54:00:77:00:02"
COVERED = StoredOutlook("Lab PE x64", "covered", "covered")
LACKING = StoredOutlook("Lab PE x64", "lacking", "unknown")


def test_outlooks_are_found_as_they_were_kept(any_site):
    with any_site.database.writing() as session:
        outlooks.keep(session, {ONE: COVERED, OTHER: LACKING})

    with any_site.database.transaction() as session:
        assert outlooks.find(session, [ONE, OTHER, "nobody"]) == {ONE: COVERED, OTHER: LACKING}


def test_a_machine_that_is_no_longer_named_is_gone_and_a_changed_one_is_replaced(any_site):
    for said in ({ONE: COVERED, OTHER: LACKING}, {ONE: LACKING}):
        with any_site.database.writing() as session:
            outlooks.keep(session, said)

    with any_site.database.transaction() as session:
        assert outlooks.find(session, [ONE, OTHER]) == {ONE: LACKING}
