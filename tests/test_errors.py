"""Messages and hints become sentences, each with one full stop."""

import pytest

from netboot.errors import BlobMissing, InvalidInput, explained, sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [("no such image", "No such image."), ("Why?", "Why?"), ("", ""), (" x ", "X.")],
)
def test_a_message_reads_as_a_sentence(text, expected):
    assert expected == sentence(text)


@pytest.mark.parametrize("message", ["the script does not run wpeinit", "startnet.cmd is empty."])
def test_message_and_hint_are_joined_with_one_full_stop(message):
    shown = explained(InvalidInput(message, hint="choose another source."))

    assert shown == f"{sentence(message)} Choose another source."
    assert ".." not in shown


def test_a_fault_without_a_hint_is_one_sentence():
    assert explained(BlobMissing("the source is missing")) == "The source is missing."
