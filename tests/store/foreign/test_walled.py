"""A program behind walls, and which walls a system draws."""

import subprocess

import pytest

from netboot.store.foreign import walled


def behind(*argv, readable=(), writable=()):
    """Run a program behind walls; what it says, or None if it fails."""
    words = walled.command(argv, readable=readable, writable=writable, user=None)
    done = subprocess.run(
        words, capture_output=True, text=True, env=walled.environment(), check=False
    )
    return done.stdout if done.returncode == 0 else None


def test_this_system_draws_all_walls():
    assert walled.missing_walls() == ()


def test_a_wall_that_is_not_drawn_is_named(monkeypatch):
    """As where a unit's filter takes Landlock away."""
    monkeypatch.setattr(walled, "_module", lambda: ["/bin/echo", "limits network seccomp"])
    assert walled.missing_walls() == ("landlock",)
    monkeypatch.setattr(walled, "_module", lambda: ["/bin/false"])
    assert walled.missing_walls() == walled.WALLS


@pytest.mark.parametrize("program", ["/bin/sh -c /bin/true", "/usr/bin/env true"])
def test_programs_of_the_system_start_programs_of_the_system(program):
    assert behind(*program.split()) == ""


def test_a_program_has_no_network_and_no_file_that_it_was_not_given(tmp_path):
    given, kept = tmp_path / "given", tmp_path / "kept"
    for path in (given, kept):
        path.write_text("text")
    assert behind("cat", given, readable=[given]) == "text"
    assert behind("cat", kept, readable=[given]) is None
    connect = "exec 3<>/dev/tcp/127.0.0.1/9"
    done = subprocess.run(
        walled.command(["bash", "-c", connect], readable=[], writable=[], user=None),
        capture_output=True, text=True, env=walled.environment(), check=False,
    )  # fmt: skip
    assert "Operation not permitted" in done.stderr or "Permission denied" in done.stderr
