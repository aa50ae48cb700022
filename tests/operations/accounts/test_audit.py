"""What is recorded, and what must not be."""

from netboot.operations.accounts import audit


def test_secrets_and_walls_of_text_are_left_out():
    """By their names, at any depth; the rest is shortened."""
    kept = audit.without_secrets(
        {
            "name": "x",
            "password": "hunter2",
            "again": "hunter2",
            "csrf_token": "t",
            "text": "y" * 1000,
            "inner": {"secret": "s", "n": 1},
            "list": list(range(100)),
        }
    )

    assert set(kept) == {"name", "text", "inner", "list"}
    assert len(kept["text"]) == audit.LONGEST_VALUE + 1
    assert kept["inner"] == {"n": 1}
    assert len(kept["list"]) == 50


def test_the_last_change_of_a_thing_is_found(site):
    """Refused tries are no changes."""
    audit.record(site, actor="ada", via="page", action="images.set_comment", subject="images/a")
    audit.record(
        site, actor="otto", via="page", action="images.delete", subject="images/a",
        outcome=audit.REFUSED,
    )  # fmt: skip

    assert audit.last_change(site, "images/a").actor == "ada"
    assert audit.last_change(site, "images/b") is None
    assert audit.verify(site).faults == ()
