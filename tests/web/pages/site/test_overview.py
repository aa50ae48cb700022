"""The first page."""


def test_the_overview_counts_and_names_what_needs_attention(shared_site, make_client):
    """Boots, images to build and to distribute, and the machine that came up offline."""
    text = make_client(shared_site, "viewer").get("/").text

    assert "booting now" in text
    assert "Windows PE 11</strong> is not yet built" in text
    assert "Lab PE x64 v2</strong> is built but v1 is still served" in text
    assert "Failed boots" in text
    assert "No driver for PCI\\VEN_8086&amp;DEV_10D3." in text
    assert "1 driver</strong> imported but not enabled" in text
    assert "Getting started" in text


def test_a_new_site_leads_by_the_hand(site, make_client):
    """Nothing there yet, and what to do is said."""
    from tests.web.support import seeding

    seeding.add_accounts(site)
    text = make_client(site, "viewer").get("/").text

    assert "No machine has booted yet" in text
    assert "Import a Windows PE" in text
    assert "0 of 6" in text


def test_only_who_may_import_is_sent_to_the_import(site, make_client):
    from tests.web.support import seeding

    seeding.add_accounts(site)
    link = 'href="/images/import"'

    assert link in make_client(site, "operator").get("/").text
    assert link not in make_client(site, "viewer").get("/").text
