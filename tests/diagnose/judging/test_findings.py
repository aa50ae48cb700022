"""A fault has a cure, by construction."""

from netboot.diagnose.judging.findings import Finding, Level, fault, info, ok, warning


def test_findings_are_made_by_their_level() -> None:
    """Four words for four levels."""
    assert ok("a") == Finding(Level.OK, "a")
    assert info("a") == Finding(Level.INFO, "a")
    assert warning("a", "b") == Finding(Level.WARNING, "a", "b")
    assert fault("a", "b") == Finding(Level.FAULT, "a", "b")
