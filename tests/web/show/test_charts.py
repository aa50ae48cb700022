"""Charts as numbers and words."""

from netboot.boot.told.timeline import Fetch
from netboot.operations.boots.boots import Hours
from web.show.charts import fetches_chart, hours_chart, rates_chart


def test_hours_say_in_words_what_they_show():
    """For those who do not see the picture."""
    chart = hours_chart(Hours((0, 3600), (1, 2), (0, 4)))

    assert chart.summary == "Boots of the last 2 hours: 3 came online, 4 did not."
    assert chart.points == {"starts": (0, 3600), "online": (1, 2), "other": (0, 4)}


def test_nothing_is_drawn_of_nothing():
    """An empty frame would only puzzle."""
    assert hours_chart(Hours((0,), (0,), (0,))).empty
    assert rates_chart([]).empty
    assert fetches_chart([], 0.0).empty


def test_rates_are_in_megabytes_a_second():
    """One dot a boot, oldest first."""
    chart = rates_chart([(1.0, 10e6), (2.0, 30e6), (3.0, 20e6)])

    assert chart.points == {"x": [1.0, 2.0, 3.0], "y": [10.0, 30.0, 20.0]}
    assert "from 10.0 to 30.0 MB/s, median 20.0 MB/s" in chart.summary


def test_files_that_overlap_add_up():
    """The line is what the machine's link carried at each moment."""
    fetches = (
        Fetch("a", "HTTP", 100.0, 4.0, 40_000_000),
        Fetch("b", "HTTP", 102.0, 4.0, 80_000_000),
    )
    chart = fetches_chart(fetches, 100.0)

    assert chart.points["x"] == [0.0, 0.0, 2.0, 4.0, 6.0]
    assert chart.points["y"] == [0.0, 10.0, 30.0, 20.0, 0.0]
    assert "fastest was b with 20.0 MB/s" in chart.summary
