"""Rows of boots, drawn once."""

from dataclasses import replace

import pytest

from netboot.boot.told.attempts import fold
from tests.web.support import seeding
from web.app import create_app
from web.show import ladder
from web.show.boot_rows import drawn_rows

NOW = 50_000.0


@pytest.fixture
def app(shared_site):
    return create_app(shared_site)


def boot(at=NOW, **changes):
    (attempt,) = fold(seeding.boot_events("52:54:00:00:00:01", at=at))
    return ladder.seen(replace(attempt, **changes), at + 60)


def test_a_row_that_is_kept_is_the_one_that_the_template_draws(app):
    """Whatever the boot, and however often it is asked for."""
    draw = drawn_rows(app)
    with app.test_request_context("/boots/"):
        macros = app.jinja_env.get_template("boots/_macros.html").module
        for one in (boot(), boot(driver="<b>.inf"), boot(), boot(image="Other"), boot(ip="")):
            assert str(macros.row(one)) == str(draw(one))
        assert draw(boot()) is draw(boot())


def test_a_boot_that_went_on_is_drawn_anew(app):
    """Nothing of how it stood before is shown."""
    draw = drawn_rows(app)
    events = seeding.boot_events("52:54:00:00:00:01", at=NOW)
    with app.test_request_context("/boots/"):
        rows = [
            draw(ladder.seen(fold(events[:count])[0], NOW + 9))
            for count in range(1, len(events) + 1)
        ]
        stalled = draw(ladder.seen(fold(events[:2])[0], NOW + 10_000))

    assert "Online" in rows[-1]
    assert not any("Online" in row for row in rows[:3])
    assert "Stalled" in stalled
    assert stalled != rows[1]


def test_what_machines_say_is_escaped_in_a_kept_row(app):
    """It came over the network."""
    with app.test_request_context("/boots/"):
        row = drawn_rows(app)(boot(driver='<script>alert("x")</script>'))

    assert "<script>" not in row
