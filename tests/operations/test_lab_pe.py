"""Asking for the Lab PE: what is missing is said before a job is queued."""

import sys
from pathlib import Path

import pytest

from netboot.errors import InvalidInput, MissingTool, OperatorFault
from netboot.operations import jobs, lab_pe
from tests.web.support.seeding import add_image


@pytest.fixture
def bare(monkeypatch):
    """A system without a compiler."""
    monkeypatch.setattr(lab_pe, "missing_for", lambda _what: ("gcc", "gnu-efi"))


@pytest.fixture
def complete(monkeypatch):
    monkeypatch.setattr(lab_pe, "missing_for", lambda _what: ())


@pytest.fixture
def maker(monkeypatch):
    """`maker(code)`: this program makes the Lab PE."""
    return lambda code: monkeypatch.setattr(lab_pe, "MAKER", ("-c", code))


def test_without_compiler_no_job_is_queued_and_every_missing_package_is_named(site, bare):
    """And the way that needs none of them."""
    with pytest.raises(MissingTool, match="gcc, gnu-efi are not installed") as refusal:
        lab_pe.ask_build(site)

    assert "apt-get install gcc gnu-efi" in refusal.value.hint
    assert "netboot lab-pe export FILE" in refusal.value.hint
    assert jobs.list_jobs(site) == []
    assert lab_pe.lab_pe_state(site).missing == ("gcc", "gnu-efi")


def test_a_second_click_finds_the_job_that_makes_it(site, complete):
    first = lab_pe.ask_build(site)

    assert lab_pe.ask_build(site).id == first.id == lab_pe.lab_pe_state(site).job


def test_the_state_names_the_images_of_the_lab_pe_alone(site):
    add_image(site)
    add_image(site, "Windows PE 11", is_lab=False)

    assert [one.name for one in lab_pe.lab_pe_state(site).images] == ["Lab PE x64"]


def test_a_file_of_another_kind_becomes_no_job(site, tmp_path):
    """It was uploaded for nothing, and the message says what was expected."""
    path = tmp_path / "boot.wim"
    path.write_bytes(b"MSWIM\0\0\0" * 300)

    with pytest.raises(InvalidInput, match="not a prepared Lab PE"):
        lab_pe.ask_import(site, path)
    assert jobs.list_jobs(site) == []


def test_what_the_maker_reports_becomes_progress_and_names(site, maker):
    """Lines of programs that it runs are no events."""
    maker(
        'print(\'{"event": "step", "text": "Building"}\', flush=True);'
        "print('gcc: a warning'); print('[1]');"
        'print(\'{"event": "done", "images": ["Lab PE x64"]}\')'
    )
    seen = []
    names = lab_pe.import_file(site, Path(sys.executable), progress=lambda *told: seen.append(told))

    assert names == ["Lab PE x64"]
    assert [stage for _, stage in seen] == ["Building"]
    assert 0 < seen[0][0] < 1


@pytest.mark.parametrize(("unusable", "kind"), [("true", InvalidInput), ("false", OperatorFault)])
def test_a_failure_keeps_its_message_and_says_whose_fault_it_is(site, maker, unusable, kind):
    """An unusable file is deleted; a full disk is not the file's fault."""
    maker(
        'print(\'{"event": "failed", "reason": "no room", "hint": "Free some.",'
        f' "unusable": {unusable}}}\')'
    )
    with pytest.raises(OperatorFault, match="no room") as failure:
        lab_pe.import_file(site, Path(sys.executable))

    assert type(failure.value) is kind
    assert failure.value.hint == "Free some."


def test_a_maker_that_dies_without_a_word_is_no_success(site, maker):
    """Its last line is in the message."""
    maker("import os, sys; print('Killed', file=sys.stderr, flush=True); os._exit(9)")

    with pytest.raises(OperatorFault, match=r"could not be made \(Killed\)"):
        lab_pe.import_file(site, Path(sys.executable))


def test_closing_ends_the_maker_and_what_it_runs(site, maker):
    """A cancelled job leaves no compiler behind."""
    maker(
        'import subprocess, sys; print(\'{"event": "step", "text": "a"}\', flush=True);'
        "subprocess.run([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)"
    )
    events = lab_pe.make(site)
    assert next(events)["event"] == "step"
    process = events.gi_frame.f_locals["process"]
    events.close()

    assert process.poll() is not None


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("", False), ('interface = "eth0"', True), ('[[networks]]\ninterface = "eth1"', True)],
)
def test_only_a_site_without_a_network_gets_a_new_default(site, maker, setting, expected):
    """The maker is told on the command line."""
    (site.data / "netboot.toml").write_text(f"{setting}\n")
    maker("import sys, json; print(json.dumps({'event': 'done', 'images': sys.argv}))")

    (event,) = [one for one in lab_pe.make(site) if one["event"] == "done"]
    assert ("--no-default" in event["images"]) is expected


def test_a_file_that_cannot_be_read_is_named(site, tmp_path):
    """With the system's reason."""
    with pytest.raises(InvalidInput, match="lab-pe cannot be read: No such file") as refusal:
        lab_pe.import_file(site, tmp_path / "lab-pe")
    assert refusal.value.hint
