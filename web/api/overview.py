"""The overview over the API: current boots, failures, and what needs attention."""

from typing import Any

from flask import url_for

from web.api.boots.boots import Boot
from web.api.subject import Subject, Value
from web.guard.access import Role, site
from web.live.parts import read_overview
from web.show.to_do import Matter

overview = Subject("overview", "The state of the whole site.")


class Waiting(Value):
    """Something that needs attention; `page` is where to resolve it."""

    severity: str
    what: str
    text: str
    page: str

    @staticmethod
    def of(matter: Matter) -> "Waiting":
        values: dict[str, Any] = dict(matter.arguments)
        return Waiting(
            severity=matter.severity,
            what=matter.what,
            text=matter.text,
            page=url_for(matter.endpoint, **values),
        )


class Overview(Value):
    """Current boots, failures of the last day, outdated boot images and pending decisions."""

    under_way: int
    online_today: int
    other_today: int
    running: list[Boot]
    failed: list[Boot]
    out_of_date: list[Waiting]
    decisions: list[Waiting]


@overview.verb("GET", "", needs=Role.VIEWER)
def get_overview() -> Overview:
    """Get the state of the whole site."""
    read = read_overview(site(), "")
    return Overview(
        under_way=read["under_way"],
        online_today=read["online_today"],
        other_today=read["other_today"],
        running=[Boot.of(boot) for boot in read["running"]],
        failed=[Boot.of(boot) for boot in read["failed"]],
        out_of_date=[Waiting.of(matter) for matter in read["out_of_date"]],
        decisions=[Waiting.of(matter) for matter in read["decisions"]],
    )
