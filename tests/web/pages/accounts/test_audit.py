"""The audit log as a page."""

import pytest
from sqlalchemy import update

from netboot.operations.accounts import audit
from netboot.store.database.account_records import AuditRow
from tests.web.conftest import htmx


@pytest.fixture
def filled(furnished):
    for number in range(60):
        audit.record(
            furnished,
            actor="otto" if number % 2 else "ada",
            via="page",
            action="images.build",
            subject=f"images/{number}",
            details={"note": "<script>alert(1)</script>"},
        )
    return furnished


def test_entries_are_shown_newest_first_and_in_parts(filled, make_client):
    """The link to older ones goes on where the page ends."""
    client = make_client(filled, "viewer")
    first = client.get("/audit/").text

    assert "images/59" in first
    assert "images/10<" in first
    assert "images/9<" not in first
    older = client.get("/audit/?before=11").text
    assert "images/9<" in older
    assert "Older entries" not in older
    assert "<script>alert" not in first


def test_the_log_is_narrowed_as_one_types(filled, make_client):
    """Only the list comes back."""
    answer = make_client(filled, "viewer").get("/audit/?actor=ada", headers=htmx())

    assert "<html" not in answer.text
    assert "otto" not in answer.text
    assert "No entries" in make_client(filled, "viewer").get("/audit/?actor=x").text


def test_the_chain_is_verified_on_the_page(filled, make_client):
    """Whole, and not whole."""
    client = make_client(filled, "viewer")
    assert "The audit log is intact: 60 entries" in client.get("/audit/verify", headers=htmx()).text
    with filled.database.writing() as session:
        session.execute(update(AuditRow).where(AuditRow.id == 7).values(actor="mallory"))

    broken = client.get("/audit/verify")
    assert "tampered with or is damaged" in broken.text
    assert "Entry 7" in broken.text
