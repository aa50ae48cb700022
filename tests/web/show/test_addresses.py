"""Addresses that templates are given."""

import pytest

from web.app import create_app
from web.show.addresses import kept_addresses


@pytest.fixture
def app(shared_site):
    return create_app(shared_site)


@pytest.mark.parametrize(
    ("endpoint", "values"),
    [
        ("jobs.index", {}),
        ("jobs.show", {"job_id": 7}),
        ("boots.index", {"search": "a b&c", "image": None}),
        ("network.index", {"_anchor": "decisions"}),
        ("live.stream", {"topic": ["activity", "boots:"]}),
        ("jobs.index", {"_external": True}),
        (".show", {"job_id": 3}),
    ],
)
def test_a_kept_address_is_the_one_that_would_be_built(app, endpoint, values):
    """At first and again, with values that cannot be kept, and from where one is."""
    address = kept_addresses(app)
    with app.test_request_context("/jobs/"):
        expected = app.url_for(endpoint, **values)
        assert [expected] * 3 == [address(endpoint, **values) for _ in range(3)]


def test_values_that_are_equal_and_written_differently_are_not_mixed_up(app):
    """1 equals True, and stands otherwise in an address."""
    address = kept_addresses(app)
    with app.test_request_context("/"):
        told = [address("boots.index", image=value) for value in (1, True, 1.0)]

    assert ["/boots/?image=1", "/boots/?image=True", "/boots/?image=1.0"] == told


def test_an_address_belongs_to_the_place_of_its_application(app):
    """A proxy may keep it below a path; a relative name means the room one is in."""
    address = kept_addresses(app)
    with app.test_request_context("/jobs/", base_url="http://localhost/netboot"):
        assert "/netboot/jobs/" == address("jobs.index") == address(".index")
    with app.test_request_context("/boots/"):
        assert "/jobs/" == address("jobs.index")
        assert "/boots/" == address(".index")


def test_an_address_that_there_is_not_is_still_a_fault(app):
    """As the application's own says it."""
    from werkzeug.routing import BuildError

    with app.test_request_context("/"), pytest.raises(BuildError):
        kept_addresses(app)("jobs.nothing")


def test_templates_are_given_kept_addresses(app):
    """All of them, without their knowing."""
    with app.test_request_context("/"):
        text = app.jinja_env.from_string("{{ url_for('jobs.show', job_id=4) }}").render()

    assert "/jobs/4" == text
    assert app.jinja_env.globals["url_for"] is not app.url_for
