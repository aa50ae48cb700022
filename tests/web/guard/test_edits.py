import pytest
from flask import Flask

from web.guard.edits import Clash, merge

LABELS = {"name": "Name", "comment": "Comment"}
NOW = {"name": "theirs", "comment": "same"}


def merged(form, now=NOW, **more):
    with Flask("edits").test_request_context("/there", method="POST", data=form):
        return merge(LABELS, now, version=7, **more)


def test_a_form_that_shows_the_current_version_is_taken_as_it_is():
    found = merged({"row_version": "7", "name": "mine", "comment": ""})

    assert (found.values, found.theirs) == ({"name": "mine", "comment": ""}, ())


def test_fields_that_were_left_alone_take_the_other_users_change():
    found = merged({"row_version": "6", "was.name": "old", "name": "old", "was.comment": "same",
                    "comment": "mine"})  # fmt: skip

    assert found.values == {"name": "theirs", "comment": "mine"}
    assert found.words == " Another user's change was kept: Name."


def test_line_ends_and_blanks_around_a_value_are_no_change():
    found = merged(
        {"row_version": "6", "was.comment": "a\nb", "comment": "a\r\nb "},
        {"name": "theirs", "comment": "new"},
    )

    assert found.values == {"comment": "new"}


def test_what_both_changed_is_asked_and_the_answer_knows_the_newest_version():
    form = {"row_version": "6", "was.name": "old", "name": "mine", "was.comment": "x",
            "comment": "mine too"}  # fmt: skip
    with pytest.raises(Clash) as clash:
        merged(form, {"name": "theirs", "comment": "x"})

    (choice,) = clash.value.choices
    assert (choice.yours, choice.theirs, choice.base) == ("mine", "theirs", "old")
    assert clash.value.fields == {
        "comment": "mine too",
        "was.name": "theirs",
        "was.comment": "x",
        "row_version": "7",
    }
    assert clash.value.action == "/there"
    again = {**clash.value.fields, "name": "mine"}
    assert merged(again).values == {"name": "mine", "comment": "mine too"}


def test_both_changing_to_the_same_is_no_conflict():
    assert merged({"row_version": "6", "was.name": "old", "name": "theirs"}).theirs == ()


def test_without_what_the_form_showed_every_difference_is_asked():
    with pytest.raises(Clash):
        merged({"row_version": "6", "name": "mine"})


def test_a_box_that_is_off_sends_nothing_and_still_counts():
    labels = {"shell": "Shell"}
    form = {"row_version": "6", "was.shell": "yes"}
    with Flask("edits").test_request_context("/", method="POST", data=form):
        found = merge(labels, {"shell": "yes"}, version=7, boxes=("shell",))

    assert found.values == {"shell": ""}


def test_secrets_are_not_in_the_difference():
    with pytest.raises(Clash) as clash:
        merged({"row_version": "6", "name": "mine"}, secrets=("name",))

    assert clash.value.difference == ()
