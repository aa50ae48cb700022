"""netboot.store.database.computed_results: results as rows, with what they were computed from."""

from netboot.store.database import computed_results


def test_a_result_is_stored_once_with_its_basis_and_time(any_site):
    """A newer one takes its place; results that were computed together are stored together."""
    with any_site.database.writing() as session:
        computed_results.keep(session, {"a": {"n": 1}, "b": {"n": 2}}, basis="[1]", at=5.0)
        computed_results.keep(session, {"a": {"n": 3}}, basis="[2]", at=6.0)

    with any_site.database.transaction() as session:
        assert computed_results.bases(session) == {"a": ("[2]", 6.0), "b": ("[1]", 5.0)}
        assert computed_results.find(session, "a").value == {"n": 3}
        assert computed_results.find(session, "c") is None


def test_results_of_which_the_subject_is_gone_are_deleted(any_site):
    """And no others."""
    with any_site.database.writing() as session:
        computed_results.keep(session, {"a": {}, "b": {}}, basis="", at=1.0)
        computed_results.forget(session, {"a", "never there"})
        computed_results.forget(session, ())

    with any_site.database.transaction() as session:
        assert {"b"} == set(computed_results.bases(session))
