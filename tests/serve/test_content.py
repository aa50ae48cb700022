"""What daemons read from is a structure, not a class: whoever has these four has a content."""

from netboot.serve.content import Content
from tests.support.serving import Files


def test_a_content_is_whatever_has_its_four_parts() -> None:
    """View, descriptor and size of the same bytes, and a close."""
    files = Files({"f": b"abc"})
    ref = files.resolve(b"f", "")
    content: Content = files.open_content(ref)

    assert bytes(content.view) == b"abc"
    assert content.size == 3
    assert content.fd > 2
    content.close()
    assert files.opened == 0
