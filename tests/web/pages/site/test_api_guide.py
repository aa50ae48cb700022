"""The API as a page."""

from web.app import create_app
from web.pages.site.api_guide import rooms


def test_every_verb_stands_on_the_page(shared_site, make_client):
    """With its subject, its role and what it takes."""
    client = make_client(shared_site, "viewer")
    text = client.get("/account/api/").text
    found = rooms(create_app(shared_site).api_doc)
    verbs = [verb for room in found for verb in room.verbs]

    assert len(verbs) > 60
    for verb in verbs:
        assert f"<strong>{verb.method}</strong> {verb.path}<" in text
    (made,) = [verb for verb in verbs if (verb.method, verb.path) == ("POST", "/api/v1/me/tokens")]
    assert (made.role, made.fields) == ("viewer", ("name", "scope?", "days?"))
    (listed,) = [v for v in verbs if (v.method, v.path) == ("GET", "/api/v1/drivers")]
    assert {"search", "limit", "offset"} <= set(listed.parameters)
