"""How the processes write their log."""

import json
import subprocess
import sys

import pytest

SPEAK = """
import logging, structlog
from netboot.logs import configure_logs
configure_logs({format!r}, process="worker")
structlog.get_logger("netboot.x").info("job.done", job=7)
logging.getLogger("gunicorn.error").warning("a library says %s", "something")
logging.getLogger("chatty").info("not told")
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("netboot.x").exception("job.bug")
"""


def spoken(log_format):
    """What a process of its own writes to standard error."""
    command = [sys.executable, "-c", SPEAK.format(format=log_format)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


def test_json_is_one_object_a_line():
    """Libraries and tracebacks, too."""
    first, second, third = (json.loads(line) for line in spoken("json").splitlines())

    assert (first["event"], first["job"], first["level"]) == ("job.done", 7, "info")
    assert (second["event"], second["level"]) == ("a library says something", "warning")
    assert third["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert {"worker"} == {line["process"] for line in (first, second, third)}
    assert all(line["timestamp"].endswith("Z") for line in (first, second, third))


@pytest.mark.parametrize("words", ["job.done", "a library says something", "ZeroDivisionError"])
def test_text_is_for_people(words):
    """The same facts in lines."""
    told = spoken("text")

    assert words in told
    assert "not told" not in told


FAIL = """
import logging, structlog
from netboot.logs import configure_logs, keep_values_out
{configure}

def fails(password):
    held = dict(body=password)
    raise RuntimeError("it failed")

try:
    fails("".join(["hush", "-", "hush"]))
except RuntimeError:
    structlog.get_logger("netboot.x").exception("structlog's")
    logging.getLogger("flask.app").exception("a library's")
"""


@pytest.mark.parametrize(
    "configure",
    [
        "configure_logs('text', process='x')",
        "configure_logs('json', process='x')",
        "keep_values_out()",
    ],
)
def test_a_traceback_holds_no_value_of_a_variable(configure):
    """Lines and names are enough to find a bug."""
    command = [sys.executable, "-c", FAIL.replace("{configure}", configure)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "it failed" in done.stdout + done.stderr
    assert "fails" in done.stdout + done.stderr
    assert "hush-hush" not in done.stdout + done.stderr
