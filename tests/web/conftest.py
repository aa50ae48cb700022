"""What tests of the console share: a furnished site, and clients of every identity."""

import shutil
import time

import httpx
import pytest

from netboot.site import Site
from tests.web.support import browsing, seeding
from tests.web.support.consoles import running_console
from web.app import create_app
from web.guard.request_safety import limiter

IDENTITIES = ("anonymous", "expired", "viewer", "operator", "admin")


def close(site):
    """Close what was opened of a site."""
    if "database" in vars(site):
        site.database.close()
    if "journal" in vars(site):
        site.journal.close()


@pytest.fixture(scope="session")
def furnished_folder(tmp_path_factory):
    """A data folder as seeding leaves it, to be copied: furnishing anew takes a second."""
    folder = tmp_path_factory.mktemp("furnished")
    site = Site.open(folder / "data")
    seeding.furnish(site, folder / "drivers")
    seeding.add_accounts(site)
    close(site)
    return folder / "data"


@pytest.fixture(scope="module")
def shared_site(furnished_folder, tmp_path_factory):
    """A furnished site for tests that only look."""
    site = Site.open(shutil.copytree(furnished_folder, tmp_path_factory.mktemp("shared") / "data"))
    yield site
    close(site)


@pytest.fixture
def furnished(furnished_folder, tmp_path):
    """A furnished site of the test's own."""
    site = Site.open(shutil.copytree(furnished_folder, tmp_path / "data"))
    yield site
    close(site)


@pytest.fixture
def make_client():
    """Makes clients of an identity for a site, without the quarter second of a password."""

    tried_before = True  # what earlier tests guessed must not slow this one down

    def make(site, identity="admin", *, csrf=False, app=None):
        nonlocal tried_before
        app = app or create_app(site)
        if tried_before:
            limiter.reset()
            tried_before = False
        app.config["WTF_CSRF_ENABLED"] = csrf
        client = app.test_client()
        if identity != "anonymous":
            sign_in(client, site, identity)
        return client

    return make


def sign_in(client, site, identity):
    """Give the client the session that signing in gives; an expired one began yesterday."""
    from netboot.operations.accounts import accounts, sessions

    role = "admin" if identity == "expired" else identity
    name = seeding.NAMES[role]
    account = next(one for one in accounts.list_accounts(site) if one.name == name)
    secret = sessions.begin(site, account.id, now=time.time())
    if identity == "expired":
        age_session(site, secret, 13 * 3600)
    with client.session_transaction() as session:
        session.update(_user_id=str(account.id), _fresh=True, id=secret)


def age_session(site, secret, seconds, *, only_seen=False):
    """Make a session older than it is."""
    from netboot.operations.accounts.sessions import digest_of
    from netboot.store.database.account_records import SessionRow

    with site.database.writing() as session:
        row = session.get(SessionRow, digest_of(secret))
        row.seen -= seconds
        row.began -= 0 if only_seen else seconds


def htmx(**extra):
    """The headers that htmx sends."""
    return {"HX-Request": "true", **extra}


# --- the browser --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def console(furnished_folder, tmp_path_factory):
    """A running console with a furnished site, for all tests of one module."""
    data = shutil.copytree(furnished_folder, tmp_path_factory.mktemp("browser") / "data")
    with running_console(data) as running:
        yield running


@pytest.fixture(scope="module")
def state(browser, console):
    """The cookie of a signed-in administrator."""
    context = browser.new_context()
    browsing.sign_in(context.new_page(), console.url)
    stored = context.storage_state()
    context.close()
    return stored


@pytest.fixture(scope="module")
def console_site(console):
    """The console's site, seen from the test."""
    opened = Site.open(console.data)
    yield opened
    close(opened)


@pytest.fixture
def open_page(browser, state):
    """Opens watched pages of a signed-in administrator; they must not have complained."""
    opened = []

    def open_one(**options):
        context = browser.new_context(storage_state=state, **options)
        opened.append((context, browsing.Watched(context)))
        return opened[-1][1].page

    yield open_one
    for context, watched in opened:
        context.close()
        assert watched.complaints == []


@pytest.fixture(scope="module")
def administrator(console, state):
    """The same administrator without a browser: quick for what needs no eyes."""
    cookies = {cookie["name"]: cookie["value"] for cookie in state["cookies"]}
    with httpx.Client(base_url=console.url, cookies=cookies, timeout=60) as client:
        yield client
