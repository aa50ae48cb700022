"""A secret that a request or an operation holds is seen nowhere, whatever fails while it does."""

import importlib
import inspect
import io
import json
import logging
import pkgutil
import sys

import pytest
import structlog

import netboot.operations
from netboot.logs import configure_logs, mask_secrets
from netboot.operations import jobs
from netboot.operations.accounts import accounts, audit
from netboot.secret import Secret
from web.app import create_app

MARK = "m4rked-S3cret-5551"
FORMATS = ("text", "json")
WORDS = {
    "role": "viewer",
    "mac": "52:54:00:00:00:01",
    "authority": "2023",
    **dict.fromkeys(("path", "picture", "sdi"), "/nowhere"),
}
"""Parameters that hold no secret: a refusal names what is wrong with them."""


@pytest.fixture(params=FORMATS)
def log(request, monkeypatch):
    """What the log holds, in one of its formats."""
    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configured = structlog.get_config()
    configure_logs(request.param, process="test")
    yield told
    root.handlers[:] = before
    root.setLevel(level)
    structlog.configure(**configured)


def stored(site):
    """Everything that the site keeps and shows of what happened."""
    site.journal.flush()
    entries = [vars_of(entry) for entry in audit.entries(site, limit=1000)]
    told = [str(entry) for entry in site.journal.latest(1000)]
    work = [vars_of(job) for job in jobs.list_jobs(site, 1000)]
    return json.dumps([entries, told, work], default=str)


def vars_of(value):
    return {name: getattr(value, name) for name in value.__slots__} if value else {}


def fields():
    return dict.fromkeys(
        ("password", "again", "old_password", "token", "secret", "client_secret", "csrf_token"),
        MARK,
    )


def test_a_view_that_fails_shows_no_secret(furnished, make_client, log):
    """Each view of pages and API, with each of its methods."""
    app = create_app(furnished)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    client = make_client(furnished, app=app)
    count = 0
    for rule in list(app.url_map.iter_rules()):

        def fails(*_, **values):
            password, body = MARK, [MARK, {"password": MARK}]  # noqa: F841  seen by a traceback
            raise RuntimeError("the view failed")

        if rule.endpoint.startswith("accounts.sign_out"):
            continue
        view = app.view_functions[rule.endpoint]
        app.view_functions[rule.endpoint] = fails
        values = {name: 1 if "int" in type(converter).__name__.lower() else "x"
                  for name, converter in rule._converters.items()}  # fmt: skip
        with app.test_request_context():
            address = app.url_map.bind("localhost").build(rule.endpoint, values)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            for sent in ({"data": fields()}, {"json": fields()}):
                more = {} if method == "GET" else sent
                answer = client.open(f"{address}?token={MARK}", method=method, **more)
                assert MARK not in answer.get_data(as_text=True), (rule, method)
                assert answer.status_code >= 400, (rule, method)
                count += answer.status_code == 500
        app.view_functions[rule.endpoint] = view

    assert count > 200
    assert log.getvalue().count("the view failed") > 200
    assert MARK not in log.getvalue()
    assert MARK not in stored(furnished)


def operations():
    """Every operation: name and function."""
    for module in pkgutil.walk_packages(netboot.operations.__path__, "netboot.operations."):
        loaded = importlib.import_module(module.name)
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            if function.__module__ == module.name and not name.startswith("_"):
                yield f"{module.name}.{name}", function


class Broken:
    """A site of which nothing can be used."""

    def __getattr__(self, name):
        raise RuntimeError(f"{name} is broken")


def test_an_operation_that_fails_shows_no_secret(log):
    """Each is called with a secret in every place but `WORDS`, and fails at its first step."""
    failed = 0
    for name, function in operations():
        wanted = [
            parameter
            for parameter in inspect.signature(function).parameters.values()
            if parameter.default is parameter.empty and parameter.kind < 4
        ]
        given = [p for p in wanted if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
        places = {p.name: WORDS.get(p.name, MARK) for p in wanted} | {"site": Broken()}
        named = {p.name: places[p.name] for p in wanted if p.kind is p.KEYWORD_ONLY}
        values = [places[p.name] for p in given]
        if not any(p.name == "site" for p in given):
            continue
        try:
            found = function(*values, **named)
            if inspect.isgenerator(found):
                next(found)
        except Exception:  # noqa: BLE001  whatever it is, it is logged as a bug would be
            structlog.get_logger("netboot").exception("operation failed", operation=name)
            failed += 1

    assert failed > 150
    assert log.getvalue().count("Traceback") >= failed or log.getvalue().count("exc_type") >= failed
    assert MARK not in log.getvalue()


@pytest.mark.parametrize(
    "request_",
    [
        ("POST", "/api/v1/accounts", {"name": "new", "role": "viewer", "password": MARK}),
        ("PUT", "/api/v1/accounts/otto/password", {"password": MARK}),
        ("PUT", "/api/v1/me/password", {"old_password": MARK, "password": MARK + "2"}),
        ("PATCH", "/api/v1/settings", {"settings": {"oidc_client_secret": MARK, "web_port": "x"}}),
        ("POST", "/api/v1/accounts", {"name": "new", "role": "viewer", "password": [MARK]}),
    ],
)
def test_a_database_that_fails_in_the_middle_shows_no_secret(
    furnished, make_client, log, request_, monkeypatch
):
    """The statement's parameters and the request's values stay out of message and log."""
    method, address, body = request_
    client = make_client(furnished)
    for step in ("_added", "_sign_out"):  # of a new account, and of a new password
        monkeypatch.setattr(accounts, step, lambda *_, **__: 1 // 0)
    answer = client.open(address, method=method, json=body)

    assert answer.status_code >= 400
    assert MARK not in answer.get_data(as_text=True)
    assert MARK not in log.getvalue()
    assert MARK not in stored(furnished)


def test_a_job_that_fails_shows_no_secret(site, log):
    """Neither its message nor its log: an exception's text may hold anything."""
    from netboot.daemons import worker as module

    job = jobs.submit(site, jobs.JobKind.CLEAN_UP, {"nonsense": MARK}, title="Clean")
    worker = module.Worker(site)
    lane = module._Lane("test", (jobs.JobKind.CLEAN_UP,))
    lane.looked = float("inf")
    worker._lane(lane)
    failed = jobs.get_job(site, job.id)
    site.journal.close()

    assert failed.state == "failed"
    assert MARK not in failed.message + str(failed.log) + str(failed.result)
    assert MARK not in log.getvalue()


def test_a_secret_prints_as_stars():
    """However it is printed; only one call shows it."""
    secret = Secret(MARK)

    assert {str(secret), f"{secret}", f"{secret!s}"} == {"***"}
    assert MARK not in repr(secret) + repr({"a": [secret]})
    assert secret.get_secret_value() == MARK
    assert repr(secret) == "Secret('***')"


@pytest.mark.parametrize(
    "text",
    [
        f"GET /callback?code=1&token={MARK}",
        f'{{"password": "{MARK}"}}',
        f"Authorization: Bearer {MARK}",
        f"postgresql://netboot:{MARK}@db/netboot",
        f"Field(oidc_client_secret='{MARK}', a=1)",
        f"api_key: {MARK}",
    ],
)
def test_what_is_named_like_a_secret_is_masked_in_a_librarys_message(text):
    assert MARK not in mask_secrets(text)
    assert "***" in mask_secrets(text)


def test_masking_leaves_other_words_alone():
    text = "audit action=tokens.create subject=users/5 hash=abc the password is too short"
    assert text == mask_secrets(text)
