"""Distribution points on pages."""


def test_each_image_has_its_state_and_the_button_that_mends_it(shared_site, make_client):
    """Only what is out of date has the button, and only for those who may."""
    text = make_client(shared_site, "operator").get("/distribution-points/").text

    assert "This site" in text
    assert 1 == text.count('action="/images/lab-pe-x64/update-distribution-points"')
    assert "lab-pe-x86/update-distribution-points" not in text
    assert "Out of date" in text
    assert "Up to date" in text
