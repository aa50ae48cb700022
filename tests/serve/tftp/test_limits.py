"""Budgets and memories of the TFTP server."""

from netboot.serve.tftp.limits import Bucket, Source, Sources, TftpLimits


def test_a_bucket_holds_one_second_and_refills() -> None:
    """What is there may be taken at once, then it comes back at its rate."""
    bucket = Bucket(10, now=0.0)

    assert [bucket.take(4, 0.0) for _ in range(3)] == [True, True, False]
    assert bucket.take(2, 0.0)
    assert not bucket.take(6, 0.5)
    assert bucket.take(5, 0.5)
    assert not bucket.take(11, 1000.0)
    assert bucket.take(10, 1000.0)


def test_a_source_is_remembered() -> None:
    """The same address is the same source."""
    sources = Sources(TftpLimits())

    assert sources.get("10.0.0.1", 0.0) is sources.get("10.0.0.1", 1.0)
    assert sources.get("10.0.0.1", 0.0) is not sources.get("10.0.0.2", 0.0)


def test_a_flood_of_addresses_does_not_grow_without_end() -> None:
    """Sources without sessions are forgotten, the longest unseen first."""
    limits = TftpLimits(sessions=10, unvalidated=10)
    sources = Sources(limits)
    busy = sources.get("10.0.0.1", 0.0)
    busy.validated = 1
    for number in range(10_000):
        sources.get(f"10.1.{number >> 8}.{number & 255}", 0.0)

    assert len(sources) == 40
    assert sources.get("10.0.0.1", 0.0) is busy


def test_shares_together_are_no_more_than_the_whole() -> None:
    """Four workers that may all hear one source grant it what one process would."""
    limits = TftpLimits()
    share = limits.share(4, by_source=False)

    assert share.unvalidated_per_source * 4 == limits.unvalidated_per_source
    assert share.sessions * 4 == limits.sessions
    assert share.unvalidated_bytes_per_source * 4 == limits.unvalidated_bytes_per_source
    assert share.errors_per_source * 4 <= limits.errors_per_source
    assert share.options is limits.options
    assert limits.share(100, by_source=False).errors_per_source == 1


def test_a_source_that_one_worker_hears_has_the_whole_of_its_limits() -> None:
    """Only what all sources have together is shared."""
    limits = TftpLimits()
    share = limits.share(4, by_source=True)

    assert share.sessions * 4 == limits.sessions
    assert share.unvalidated * 4 == limits.unvalidated
    assert share.sessions_per_source == limits.sessions_per_source
    assert share.unvalidated_per_source == limits.unvalidated_per_source
    assert share.errors_per_source == limits.errors_per_source


def test_the_path_to_a_source_is_asked_for_once_a_minute() -> None:
    """A loader fetches dozens of files within seconds; its route stays what it was."""
    source = Source(TftpLimits(), 100.0)
    answers = iter((1500, 1400))

    assert [source.path_mtu(lambda: next(answers), now) for now in (100.0, 101.0, 159.9)] == (
        [1500] * 3
    )
    assert source.path_mtu(lambda: next(answers), 161.0) == 1400
