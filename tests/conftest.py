"""What many tests share: a site of their own, on either database, and the Lab PE."""

import os
import shutil

import hypothesis
import pytest

from netboot.site import Site
from netboot.store.content import blobs
from netboot.store.drivers import pci_names
from tests.support.command_line import CommandLine
from tests.support.postgresql import PostgresServer, find_binaries
from tests.support.small_disk import small_site

# An example's time says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("netboot", deadline=None)
hypothesis.settings.load_profile("netboot")


@pytest.fixture(autouse=True)
def no_pci_names(monkeypatch):
    """Lists of devices give the same result with Debian's pci.ids and without."""
    monkeypatch.setattr(pci_names, "PLACES", ())


ON_POSTGRESQL = os.environ.get("DATABASE") == "postgresql"
"""`make test-postgresql`: each test's site is on PostgreSQL, not only those that try both."""


def pytest_collection_modifyitems(items):
    """What looks into SQLite's file has no meaning there."""
    if ON_POSTGRESQL:
        for item in items:
            if item.get_closest_marker("sqlite"):
                item.add_marker(pytest.mark.skip(reason="is about SQLite's file"))


@pytest.fixture
def site(request, tmp_path):
    """A new, empty site in a folder of its own."""
    made = Site.open(tmp_path / "data")
    give_database(made, request, on_postgresql=ON_POSTGRESQL)
    yield made
    close(made)


def give_database(site, request, *, on_postgresql):
    """Give an empty site what its first use would make: the migrations take a quarter of a second.

    tests/store/database tries them.
    """
    if not on_postgresql:
        shutil.copy(request.getfixturevalue("new_database"), site.data)
        return
    server = request.getfixturevalue("postgres")
    url = server.url(server.fresh(request.getfixturevalue("postgres_template")))
    (site.data / "netboot.toml").write_text(f'database_url = "{url}"\n')


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A site on a disk of 32 MiB, of which no reserve is kept."""
    monkeypatch.setattr(blobs, "SPARE_BYTES", 0)
    with small_site(tmp_path / "small") as made:
        yield made


@pytest.fixture
def data(request, tmp_path):
    """The data folder of a new, empty site."""
    made = Site.open(tmp_path / "data")
    give_database(made, request, on_postgresql=ON_POSTGRESQL)
    return made.data


@pytest.fixture
def netboot(data, capsys, monkeypatch):
    """`netboot(words…)`: the command; its code, output and errors."""
    return CommandLine(data, capsys, monkeypatch)


@pytest.fixture(params=["postgresql"] if ON_POSTGRESQL else ["sqlite", "postgresql"])
def any_site(request, tmp_path):
    """A new, empty site on each kind of database."""
    made = Site.open(tmp_path / "data")
    give_database(made, request, on_postgresql=request.param == "postgresql")
    yield made
    close(made)


def close(site):
    """Give back what the site has opened."""
    if "database" in vars(site):
        site.database.close()
    if "journal" in vars(site):
        site.journal.close()


@pytest.fixture(scope="session")
def new_database(tmp_path_factory):
    """SQLite's file of a new, empty site, to be copied."""
    made = Site.open(tmp_path_factory.mktemp("new") / "data")
    made.database.close()
    return made.data / "site.db"


@pytest.fixture(scope="session")
def postgres():
    """A real PostgreSQL server."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed (Debian's package postgresql)")
    pytest.importorskip("psycopg", reason="psycopg is not installed in this environment")
    with PostgresServer(binaries) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres):
    """A database with the newest schema, to be copied."""
    from netboot.store.database.site_database import Database

    name = postgres.fresh()
    database = Database(postgres.url(name))
    database.migrate()
    database.close()
    return name


@pytest.fixture(scope="session")
def browser():
    """Chromium: one for all tests of a process, each test in contexts of its own."""
    from tests.web.support import browsing

    with browsing.chromium() as launched:
        yield launched


@pytest.fixture(scope="session")
def help_folder(tmp_path_factory):
    """The pages of Help, built once for all processes of a test run."""
    from tests.help import built_pages

    return built_pages.built(tmp_path_factory)


@pytest.fixture(scope="session")
def lab():
    """The Lab PE's images and driver packages, built once."""
    from vm import labpe

    return labpe.ensure()
