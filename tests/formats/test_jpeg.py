import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.errors import FormatError
from netboot.formats.jpeg import picture_size
from tests.samples.pictures import jpeg


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1024, 768), (65535, 2)])
def test_the_size_of_a_picture_is_read(width, height):
    """Behind whatever other parts there are."""
    assert (width, height) == picture_size(jpeg(width, height))
    assert (width, height) == picture_size(jpeg(width, height, before=b"\xff\xff\xe1\0\4ab"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a JPEG"),
        (b"\x89PNG\r\n\x1a\n", "not a JPEG"),
        (b"BM picture", "not a JPEG"),
        (jpeg(640, 480)[:20], "damaged"),
        (jpeg(0, 480), "damaged"),
        (b"\xff\xd8\xff\xe0\0\0\0\0", "damaged"),
        (b"\xff\xd8\xff\xda\0\x0c", "damaged"),
    ],
)
def test_what_is_no_picture_is_refused(data, words):
    """Another format, a cut file, a size of nothing."""
    with pytest.raises(FormatError, match=words):
        picture_size(data)


@given(st.binary(max_size=200))
def test_no_bytes_confuse_the_reader(noise):
    """Any bytes after the first two give a size or a FormatError."""
    try:
        width, height = picture_size(b"\xff\xd8" + noise)
    except FormatError:
        return
    assert 0 < width < 65536 > height > 0
