"""A prepared Lab PE comes from outside: what is not exactly as its list says is refused."""

import io
import json
import tarfile
from hashlib import sha256

import pytest

from netboot.errors import InvalidInput
from netboot.store.images import lab_pe_file
from netboot.store.images.lab_pe_file import HEAD, NEEDED, pack, read_head, unpack

INF = "x64/drivers/e1000/e1000.inf"


@pytest.fixture
def build(tmp_path):
    """A folder like a build's, with small files."""
    folder = tmp_path / "build"
    for name in (*NEEDED, INF, "packages.txt", "SHA256SUMS", "notes of mine"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 50)
    return folder


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def packed(build):
    out = io.BytesIO()
    pack(build, out, key="6.1.0-50-abc", release="1.0")
    return out.getvalue()


def altered(build, **changes):
    """A file whose head has these changes, with members that follow the head."""
    files = {name: (build / name).read_bytes() for name in (*NEEDED, INF)}
    files |= changes.pop("members", {})
    listed = {name: [len(data), sha256(data).hexdigest()] for name, data in files.items()}
    about = {"kind": "netboot-lab-pe", "format": 1, "key": "k-1", "release": "1", "files": listed}
    about |= changes
    return tar_of([(HEAD, json.dumps(about).encode()), *files.items()])


def tar_of(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            if isinstance(data, bytes):
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
            else:
                member.type, member.linkname = data
                tar.addfile(member)
    return out.getvalue()


def test_a_file_brings_the_build_and_nothing_else(build, target):
    """Checksums are made anew; what else lay in the folder does not travel."""
    head = unpack(io.BytesIO(packed(build)), target)
    came = {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()}

    assert came == {*NEEDED, INF, "packages.txt"} == set(head.files)
    assert (head.key, head.release) == ("6.1.0-50-abc", "1.0")
    assert (target / INF).read_bytes() == (build / INF).read_bytes()


def test_the_same_build_makes_the_same_file(build):
    """Two machines can compare what they made."""
    assert packed(build) == packed(build)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kind": "other"}, "not a prepared Lab PE"),
        ({"format": 2}, "of format 2; this release reads format 1"),
        ({"format": None}, "of format None"),
        ({"key": "../../etc"}, "its name is not valid"),
        ({"files": {}}, "it lacks x64/boot.wim"),
        ({"files": []}, "list of files is not valid"),
        ({"files": {"x64/boot.wim": [-1, "0" * 64]}}, "size or digest of 'x64/boot.wim'"),
        ({"files": {"x64/boot.wim": [1 << 40, "0" * 64]}}, "size or digest of 'x64/boot.wim'"),
        ({"files": {"x64/boot.wim": [1, "nothing"]}}, "size or digest of 'x64/boot.wim'"),
        ({"members": {"../outside": b"x"}}, "has no file '../outside'"),
        ({"members": {"/etc/passwd": b"x"}}, "has no file '/etc/passwd'"),
        ({"members": {"x64/drivers/../../../up": b"x"}}, "has no file"),
        ({"members": {"x64/drivers/e1000/..": b"x"}}, "has no file"),
        ({"members": {"x64/setup.exe": b"x"}}, "has no file"),
    ],
)
def test_a_head_that_is_not_valid_is_refused(build, target, changes, told):
    """Kind, format, name, sizes and the names of files are checked before anything is written."""
    with pytest.raises(InvalidInput, match=told) as refusal:
        unpack(io.BytesIO(altered(build, **changes)), target)

    assert refusal.value.hint.endswith(".")
    assert list(target.iterdir()) == []


def test_a_list_of_more_than_may_be_unpacked_is_refused(build, target, monkeypatch):
    """The sum counts, not only each file."""
    monkeypatch.setattr(lab_pe_file, "LARGEST_SUM", 500)

    with pytest.raises(InvalidInput, match="holds more than"):
        unpack(io.BytesIO(packed(build)), target)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize(
    ("member", "told"),
    [
        (("x64/new.ko", b"x"), "'x64/new.ko' is not in its list"),
        (("../../outside", b"x"), "is not in its list"),
        ((INF, (tarfile.SYMTYPE, "/etc/passwd")), "is not in its list"),
        ((INF, (tarfile.LNKTYPE, "x64/boot.wim")), "is not in its list"),
        ((INF, (tarfile.DIRTYPE, "")), "is not in its list"),
        ((INF, b"short"), "has 5 bytes instead of"),
        ((INF, INF[::-1].encode() * 50), "does not match its digest"),
        ((NEEDED[0], b"x"), "is not in its list"),
        (None, f"it ends without {INF}"),
    ],
)
def test_members_that_are_not_as_listed_are_refused(build, target, member, told):
    """A link, a second one, another size, other bytes, a missing one."""
    with tarfile.open(fileobj=io.BytesIO(packed(build))) as tar:
        kept = [(m.name, tar.extractfile(m).read()) for m in tar if m.name != INF]
    data = tar_of([*kept, *([member] if member else [])])

    with pytest.raises(InvalidInput, match=told):
        unpack(io.BytesIO(data), target)
    assert not (target.parent.parent / "outside").exists()


@pytest.mark.parametrize("kept", [0, 100, 600, 0.3, 0.6])
def test_a_file_that_is_cut_off_is_refused(build, target, kept):
    """Wherever the copy stopped."""
    whole = packed(build)
    end = kept if isinstance(kept, int) else int(len(whole) * kept)

    with pytest.raises(InvalidInput):
        unpack(io.BytesIO(whole[:end]), target)


@pytest.mark.parametrize("data", [b"", b"MSWIM\0\0\0" + bytes(4000), b"PK\3\4", bytes(20000)])
def test_a_file_of_another_kind_is_told_from_its_beginning(data):
    """Before an upload becomes a job."""
    with pytest.raises(InvalidInput, match="not a prepared Lab PE") as refusal:
        read_head(io.BytesIO(data))
    assert "netboot lab-pe export FILE" in refusal.value.hint


def test_an_incomplete_build_is_not_packed(build):
    """The error comes where the file is made, not where it is needed."""
    (build / NEEDED[1]).unlink()

    with pytest.raises(InvalidInput, match=NEEDED[1]):
        packed(build)
