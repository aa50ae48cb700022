"""The walls: they stand, attacks from inside fail, ordinary work goes on."""

import platform
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.wimlib

REPOSITORY = Path(__file__).parents[3]

PROLOGUE = """
import os, sys, socket, subprocess, threading
from pathlib import Path
from netboot.store.foreign.confinement import Limits, enter
work = Path(sys.argv[1])
limits = Limits(memory=1 << 30, cpu_seconds=2, file_size=1 << 20)
readable = [Path("/usr"), Path(sys.prefix), Path(sys.base_prefix), Path(sys.argv[2])]
print(",".join(enter(limits, readable=readable, writable=[work])), flush=True)
"""


def inside(code: str, work: Path) -> "subprocess.CompletedProcess[str]":
    """Run code behind the walls."""
    return subprocess.run(
        [sys.executable, "-c", PROLOGUE + textwrap.dedent(code), str(work), str(REPOSITORY)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=60,
        check=False,
    )


def test_all_walls_stand(tmp_path: Path):
    """On this kernel limits, network, files and calls are all closed."""
    assert inside("", tmp_path).stdout.strip() == "limits,network,landlock,seccomp"


@pytest.mark.parametrize(
    ("attack", "expected"),
    [
        ("open('/etc/shadow').read()", "PermissionError"),
        ("open('/etc/passwd').read()", "PermissionError"),
        ("os.listdir('/root')", "PermissionError"),
        ("open(work.parent / 'outside', 'w')", "PermissionError"),
        ("os.symlink('/etc/shadow', work / 'link')", "PermissionError"),
        ("os.link('/etc/shadow', work / 'hard')", "Error"),
        ("os.mkfifo(work / 'fifo')", "PermissionError"),
        ("socket.create_connection(('127.0.0.1', 9))", "PermissionError"),
        ("socket.socket(socket.AF_UNIX)", "PermissionError"),
        ("os.fork()", "PermissionError"),
        ("subprocess.run(['/bin/true'])", "PermissionError"),
        ("os.execv('/bin/true', ['true'])", "PermissionError"),
        ("os.kill(os.getppid(), 9)", "PermissionError"),
        ("os.chroot('/tmp')", "PermissionError"),
        ("bytearray(2 << 30)", "MemoryError"),
        ("(work / 'big').write_bytes(bytes(2 << 20))", "File too large"),
    ],
)
def test_an_attack_fails(attack: str, expected: str, tmp_path: Path):
    """Reading secrets, writing outside, network, processes and greed end in an error."""
    work = tmp_path / "work"
    work.mkdir()

    done = inside(f"import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n{attack}", work)

    assert done.returncode != 0
    assert expected in done.stderr
    assert not (tmp_path / "outside").exists()


def test_every_denied_call_is_refused_by_its_number(tmp_path: Path):
    """Also those that Python has no function for; `reboot` and the like get no valid argument."""
    done = inside(
        """
        import ctypes
        from netboot.store.foreign.confinement import _DENIED, _libseccomp
        libc, names = ctypes.CDLL(None, use_errno=True), _libseccomp()
        for name in _DENIED:
            number = names.seccomp_syscall_resolve_name(name.encode())
            assert number != -1, name
            if number >= 0 and (libc.syscall(number, 0, 0, 0, 0), ctypes.get_errno()) != (-1, 1):
                print("allowed:", name)
        print("asked", len(_DENIED))
        """,
        tmp_path,
    )

    assert (done.stderr, "\n".join(done.stdout.splitlines()[1:])) == ("", "asked 61")


@pytest.mark.parametrize(
    ("call", "error"),
    [("syscall(number('clone'), 17)", 1), ("syscall(number('clone3'), 0, 0)", 38)],
)
def test_a_new_process_is_refused_whatever_call_asks_for_it(call: str, error: int, tmp_path: Path):
    """`clone` without CLONE_THREAD is denied; `clone3` is unknown, so glibc uses `clone`."""
    done = inside(
        f"""
        import ctypes
        from netboot.store.foreign.confinement import _libseccomp
        syscall = ctypes.CDLL(None, use_errno=True).syscall
        number = lambda name: _libseccomp().seccomp_syscall_resolve_name(name.encode())
        print({call}, ctypes.get_errno())
        """,
        tmp_path,
    )

    assert f"-1 {error}" == done.stdout.splitlines()[-1]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x32 is a second set of x86 numbers")
def test_a_call_by_its_x32_number_ends_the_process(tmp_path: Path):
    """The rules know x86-64's numbers only, so any other number is fatal."""
    assert (
        inside(
            "import ctypes; ctypes.CDLL(None).syscall(0x40000000 | 41, 2, 1, 0)", tmp_path
        ).returncode
        == -signal.SIGSYS
    )


def test_an_endless_loop_is_ended_by_its_limit(tmp_path: Path):
    """CPU time is limited."""
    assert inside("while True: pass", tmp_path).returncode in {-24, -9}


def test_ordinary_work_goes_on_inside(tmp_path: Path):
    """Files of the work folder and threads are allowed."""
    done = inside(
        """
        (work / "a").write_text("x"); (work / "a").rename(work / "b")
        thread = threading.Thread(target=lambda: print((work / "b").read_text()))
        thread.start(); thread.join()
        """,
        tmp_path,
    )

    assert (done.returncode, done.stdout.split()[-1]) == (0, "x")
