"""What has to change for a site to be as declared."""

from dataclasses import replace

from netboot.images.declared import Assignment, Declaration, DeclaredDriver, DeclaredImage, compare

ONE = DeclaredDriver("sha256:1", "one", "1.0", enabled=True, categories=("Lab",))
IMAGE = DeclaredImage("PE", "x64", "sha256:s", 1, drivers=("sha256:1", "sha256:2"),
                      labels={"sha256:1": "one 1.0", "sha256:2": "two 2.0"})  # fmt: skip
NOW = Declaration(
    {"sha256:1": ONE},
    {"PE": IMAGE},
    {"x64": "PE"},
    {"52:54:00:00:00:01": Assignment("PE", "desk")},
)


def details(now, wanted):
    return [change.details for change in compare(now, wanted)]


def test_a_site_differs_in_nothing_from_itself():
    """Nor from a declaration that says nothing."""
    assert compare(NOW, NOW, prune=True) == ()
    assert compare(NOW, Declaration(), prune=True) == ()


def test_drivers_are_told_by_their_labels():
    """Who reads a plan knows no digests."""
    wanted = replace(IMAGE, drivers=("sha256:1", "sha256:3"), labels={"sha256:3": "three 3.0"})

    assert details(NOW, Declaration(images={"PE": wanted})) == [("+ three 3.0", "- two 2.0")]


def test_the_order_of_drivers_counts():
    """A recipe in another order is another recipe."""
    wanted = replace(IMAGE, drivers=("sha256:2", "sha256:1"))

    assert details(NOW, Declaration(images={"PE": wanted})) == [("different driver order",)]


def test_categories_that_are_not_declared_stay():
    """A file made by hand may leave them out."""
    silent = Declaration({"sha256:1": replace(ONE, enabled=False, categories=None)})
    other = Declaration({"sha256:1": replace(ONE, categories=("Lab", "New"))})

    assert details(NOW, silent) == [("disable",)]
    assert details(NOW, other) == [("categories: Lab -> Lab, New",)]


def test_what_depends_on_images_comes_after_them():
    """So that it can be done in this order."""
    wanted = Declaration({"sha256:1": replace(ONE, enabled=False)}, {"New": IMAGE}, {}, {})
    subjects = [(c.kind.value, c.subject) for c in compare(NOW, wanted, prune=True)]

    assert subjects == [
        ("change", "driver"),
        ("add", "image"),
        ("remove", "image"),
        ("remove", "default"),
        ("remove", "machine"),
    ]
