"""Budgets and memories of the TFTP server."""

from ipaddress import IPv4Network

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


def test_the_smallest_network_says_how_large_blocks_are() -> None:
    """The order in which networks are written does not matter."""
    sizes = tuple(
        (IPv4Network(network), size)
        for network, size in (("0.0.0.0/0", 1400), ("10.2.3.0/24", 1024), ("10.2.0.0/16", 1380))
    )
    limits = TftpLimits(block_sizes=sizes)

    assert [limits.block_size(ip) for ip in ("10.2.3.4", "10.2.9.9", "192.0.2.1")] == (
        [1024, 1380, 1400]
    )
    assert TftpLimits().block_size("10.2.3.4") == 1468


def test_after_silence_blocks_are_smaller_for_a_while() -> None:
    """First such as fit nearly every tunnel, then such as fit everything, then no smaller ones."""
    source = Source(TftpLimits(), 0.0)
    found = [source.fits(0.0)]
    for size in (1468, 1248, 512):
        source.met_silence(size, 1.0)
        found.append(source.fits(2.0))

    assert found == [None, 1248, 512, 512]
    assert source.fits(3600.0) is None


def test_blocks_that_have_arrived_are_suspected_only_the_second_time() -> None:
    """A lost window says nothing about a path that has passed such blocks before."""
    source = Source(TftpLimits(), 0.0)
    source.arrived(1468)
    source.met_silence(1468, 1.0)
    assert source.fits(1.0) is None

    source.met_silence(1468, 2.0)
    assert source.fits(2.0) == 1248


def test_larger_blocks_that_arrive_after_all_end_the_suspicion() -> None:
    """Another transfer of the same machine, for instance."""
    source = Source(TftpLimits(), 0.0)
    source.met_silence(1468, 1.0)
    source.arrived(1248)
    assert source.fits(2.0) == 1248

    source.arrived(1468)
    assert source.fits(2.0) is None
