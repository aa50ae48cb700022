"""Problem details as RFC 9457 wants them."""

import pytest
from flask import Flask
from pydantic import BaseModel, ValidationError

from web.problems import CONTENT_TYPE, Problem, problem_json, validation_problem


@pytest.fixture(autouse=True)
def asked():
    with Flask("x").test_request_context("/api/v1/images"):
        yield


def test_a_problem_says_what_and_why_and_what_to_do():
    """Fields without a value are left out."""
    answer = problem_json("It is gone.", status=404, kind="not-found", hint="Look elsewhere.")

    assert (answer.status_code, answer.content_type) == (404, CONTENT_TYPE)
    assert answer.json == {
        "type": "urn:netboot:problem:not-found",
        "title": "Not found",
        "status": 404,
        "detail": "It is gone.",
        "hint": "Look elsewhere.",
        "instance": "/api/v1/images",
    }
    assert Problem.model_validate(answer.json)


def test_who_is_not_signed_in_is_told_how_to():
    """RFC 6750 asks for the header."""
    assert "Bearer" in problem_json("No.", status=401).headers["WWW-Authenticate"]


def test_fields_that_cannot_be_used_are_named_without_their_values():
    """Nested ones by their path."""

    class Inner(BaseModel):
        secret: int

    class Outer(BaseModel):
        items: list[Inner]

    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"items": [{"secret": "hunter2"}]})
    answer = validation_problem(caught.value)

    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "items.0.secret"
    assert "hunter2" not in answer.get_data(as_text=True)
