"""Limits of the boot port."""

from netboot.serve.http.limits import HttpLimits


def test_shares_together_are_the_whole() -> None:
    """Two workers hold as many connections as one process would."""
    share = HttpLimits().share(2)

    assert share.connections * 2 == HttpLimits().connections
    assert share.connections_per_source * 2 == HttpLimits().connections_per_source
    assert HttpLimits().share(10_000).connections == 1
