"""What was heard in a network, in bounded memory."""

from netboot.serve.dhcp.tally import RELAYS_KEPT, Tally


def test_the_latest_relays_are_kept_and_no_more():
    tally = Tally()
    for number in range(RELAYS_KEPT + 10):
        tally.relayed(f"10.0.{number}.1", float(number))
    tally.relayed("10.0.20.1", 999.0)

    assert len(tally.relays) == RELAYS_KEPT
    assert "10.0.9.1" not in tally.relays
    assert next(reversed(tally.relays)) == "10.0.20.1"
