import json

import pytest
from sqlalchemy import String, inspect
from sqlalchemy.exc import IntegrityError

from netboot.store.database.records import FactRow, ImageDriverRow, ImageRow, Row, VersionRow
from netboot.store.images.rows import find_image
from tests.web.support.seeding import add_image, add_version

NAME = "Lab PE x64"


def test_no_deployment_names_a_version():
    """An update of an image touches no row about machines: none of them has such a column."""
    for table in ("deployments", "default_images"):
        columns = {column.name for column in Row.metadata.tables[table].columns}
        assert "image_name" in columns
        assert not [name for name in columns if "version" in name]


def test_every_text_has_a_length_or_is_meant_to_be_long():
    """PostgreSQL refuses what SQLite lets pass: a length that is said can be kept to."""
    unbounded = {
        f"{table.name}.{column.name}"
        for table in Row.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, String) and column.type.length is None
    }

    assert unbounded <= {
        *("drivers.search_text", "driver_contents.models", "repeats.body"),
        "computed_results.basis",  # names the served version of every image
        *("driver_traits.services", "driver_traits.spans", "driver_traits.boards"),
        "version_listings.files",
    }


def test_json_comes_back_as_it_was(site):
    """Words of every script, numbers and lists, on either database."""
    value = {
        "words": "Größe – 画像 \U0001f5a5",
        "numbers": [1, 2.5, -3],
        "none": None,
        "deep": {"a": []},
    }
    with site.database.writing() as session:
        session.add(FactRow(name="sample", value=value))

    with site.database.transaction() as session:
        assert json.dumps(value) == json.dumps(session.get(FactRow, "sample").value)


def test_an_image_takes_its_versions_and_its_recipe_along(site):
    """A deleted image leaves no row behind."""
    add_image(site)
    add_version(site)
    with site.database.writing() as session:
        session.delete(find_image(session, NAME))

    with site.database.transaction() as session:
        for row in (ImageRow, VersionRow, ImageDriverRow):
            assert session.query(row).count() == 0


def test_a_number_is_given_to_a_version_once(site):
    """Two versions of one image never share a number."""
    add_image(site)
    add_version(site)

    with pytest.raises(IntegrityError), site.database.writing() as session:
        row = find_image(session, NAME)
        row.versions.append(
            VersionRow(number=1, recipe_digest="x", recipe={}, manifest={}, built_at=0.0)
        )


def test_what_lists_ask_for_is_indexed(site):
    """Jobs by state, hardware ids, machines of an image: none of these reads a whole table."""
    inspector = inspect(site.database.engine)

    def covered(table):
        keys = [inspector.get_pk_constraint(table)["constrained_columns"]]
        keys += [index["column_names"] for index in inspector.get_indexes(table)]
        return {columns[0] for columns in keys if columns}

    assert "state" in covered("jobs")
    assert "hardware_id" in covered("hardware_ids")
    assert "image_name" in covered("deployments")
