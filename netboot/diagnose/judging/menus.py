"""PXE boot menus: what starts by itself, and whether every item has a server."""

from netboot.diagnose.asking.menu import BootMenu, MenuItem
from netboot.diagnose.evidence import Choice, Evidence
from netboot.diagnose.judging.findings import Finding, fault, info, ok, warning
from netboot.diagnose.judging.loading import shown


def menu(evidence: Evidence) -> list[Finding]:
    """What the boot menu that this machine is offered leads to."""
    found = evidence.menu
    if found is None:
        return []
    first = next((one for one in evidence.choices if not one.item.is_local), None)
    return [
        _how_it_starts(found),
        *([] if first is not None else [_only_local()]),
        *(_item(one, starts=one is first) for one in evidence.choices if not one.item.is_local),
    ]


def _how_it_starts(found: BootMenu) -> Finding:
    names = ", ".join(_name(item) for item in found.items)
    if found.waits_for_a_key:
        return info(
            f"the boot menu waits until somebody chooses: {names}",
            "To boot without a person, give the menu a time (dnsmasq: pxe-prompt with seconds).",
        )
    when = f"after {found.seconds} s" if found.seconds else "at once"
    words = f"the boot menu starts {_name(found.items[0])} {when}; it has: {names}"
    if found.items[0].is_local:
        return warning(
            f"{words}: without a person the machine does not boot from the network",
            "Put the item that should start by itself first in the menu.",
        )
    return ok(words)


def _only_local() -> Finding:
    return fault(
        "the boot menu has no item that boots from the network",
        "Add one on the server that offers the menu (dnsmasq: pxe-service).",
    )


def _item(choice: Choice, *, starts: bool) -> Finding:
    name, answer = _name(choice.item), choice.answer
    if answer is not None and answer.file:
        return ok(f"{answer.source} names {shown(answer.file)} for {name} on port 4011")
    level = fault if starts else warning
    if answer is not None:
        return level(
            f"{answer.source} answers for {name} without a boot file [PXE-E53]",
            f"Give {name} a boot file on {answer.source}.",
        )
    if not choice.places:
        return level(
            f"no boot server is listed for {name}, and the menu forbids looking for one [PXE-E77]",
            "Add the server's address to the item (dnsmasq: pxe-service with a server).",
        )
    asked = " or ".join(
        "any server of this network" if place == "255.255.255.255" else place
        for place in choice.places
    )
    return level(
        f"no answer from {asked} for {name} [PXE-E55]",
        f"Start the boot server for {name}, and open UDP port 4011 on it.",
    )


def _name(item: MenuItem) -> str:
    return repr(item.text) if item.text else f"item {item.type}"
