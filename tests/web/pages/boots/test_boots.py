"""Boots on pages."""

import re


def test_the_list_shows_each_machines_ladder(shared_site, make_client):
    """Online with its driver and version, offline with the device that has none, under way."""
    text = make_client(shared_site, "viewer").get("/boots/").text

    assert "Lab PE x64 v1 with driver <strong>e1000</strong>" in text
    assert "No driver for PCI\\VEN_8086&amp;DEV_10D3." in text
    assert text.count('class="ladder"') == 3


def test_one_boot_tells_its_story(shared_site, make_client):
    """Each step with its time, and where the time went."""
    client = make_client(shared_site, "viewer")
    path = re.search(r'href="(/boots/525400123456-\d+)"', client.get("/boots/").text)[1]
    text = client.get(path).text

    assert "Offered undionly.kpxe on port 67." in text
    assert "+10 ms" in text
    assert "Is up: Lab PE x64 v1 with driver e1000 on eth0." in text
    assert "9.8 MB/s" in text


def test_an_unknown_boot_is_absent(shared_site, make_client):
    """Old boots are forgotten, and the page says so."""
    response = make_client(shared_site, "viewer").get("/boots/000000000000-1")

    assert response.status_code == 404
    assert "forgotten" in response.text
