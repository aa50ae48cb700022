import subprocess

from vm.labpe.cpio import CpioArchive


def example() -> bytes:
    archive = CpioArchive()
    archive.add_folder("proc")
    archive.add_file("bin/tool", b"#!/bin/sh\n", mode=0o755)
    archive.add_file("etc/odd", b"12345")
    archive.add_link("bin/sh", "tool")
    archive.add_character_device("dev/console", 5, 1)
    return bytes(archive)


def cpio(busybox, *words, cwd=None):
    done = subprocess.run(
        [busybox, "cpio", *words], input=example(), cwd=cwd, capture_output=True, check=True
    )
    return done.stdout.decode()


def test_a_foreign_cpio_reads_our_archive(tmp_path, busybox):
    """Busybox unpacks files, modes and links as they went in."""
    names = "proc\nbin\nbin/tool\netc\netc/odd\nbin/sh\ndev\ndev/console\n"
    assert names == cpio(busybox, "-t")

    cpio(busybox, "-id", "bin/tool", "etc/odd", "bin/sh", cwd=tmp_path)
    assert (tmp_path / "etc/odd").read_bytes() == b"12345"
    assert (tmp_path / "bin/tool").stat().st_mode == 0o100755
    assert (tmp_path / "bin/sh").readlink().as_posix() == "tool"


def test_equal_content_gives_equal_bytes():
    """Nothing of the moment or of the machine is in an archive."""
    assert example() == example()


def test_an_archive_ends_on_four_bytes():
    """Another archive may stand right behind it."""
    assert len(example()) % 4 == 0
