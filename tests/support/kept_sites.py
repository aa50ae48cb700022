"""A small site with something of everything that a backup must keep, and what it is compared by."""

import sqlalchemy as sa

from netboot.operations.accounts import audit
from netboot.operations.jobs import JobKind
from netboot.site import Site
from netboot.store.backups import row_copies
from netboot.store.database.account_records import SessionRow
from tests.support import content
from tests.web.support.seeding import (
    add_accounts,
    add_driver,
    add_image,
    add_version,
    boot_events,
    tell,
)

MACHINE = "52:54:00:12:34:56"


def keep_something(site, folder):
    """An image that is served and assigned, a driver, an account, a boot, and work in progress."""
    (site.data / "netboot.toml").open("a").write("web_port = 8443\n")
    add_driver(site, folder, "nb1000", enabled=True)
    add_image(site, comment="Grüße – 漢字 \U0001f600")
    version = add_version(site)
    content.serve(site, version)
    content.assign(site, MACHINE, version.image)
    account = add_accounts(site)["admin"]
    with site.database.writing() as session:
        session.add(SessionRow(secret_hash="0" * 64, account_id=account.id, began=1.5, seen=2.5))
    site.jobs.submit(str(JobKind.CLEAN_UP), {}, title="Waits")
    audit.record(site, actor="ada", via="cli", action="images.update", subject="images/x")
    tell(site, *boot_events(MACHINE))
    return version


def rows_of(database):
    """Number and sum of the rows of each table."""
    with database.frozen() as connection:
        tables = row_copies.tables_of(connection)
        sums = {table.name: row_copies.sum_of(connection, table) for table in tables}
    return {name: (total.rows, total.sum) for name, total in sums.items()}


def what_machines_get(site):
    """What the distribution point serves, with the bytes."""
    published = site.point.load()
    served = {
        name: {file.name: site.point.blobs.require(file.digest).read_bytes() for file in one.files}
        for name, one in published.current.items()
    }
    return served, dict(published.defaults), dict(published.assignments), dict(published.names)


def reopened(data):
    """The site as another process sees it."""
    return Site.open(data)


def close(site):
    if "database" in vars(site):
        site.database.close()
    if "journal" in vars(site):
        site.journal.close()


def count(database, table):
    with database.frozen() as connection:
        return connection.scalar(sa.text(f"SELECT count(*) FROM {table}"))
