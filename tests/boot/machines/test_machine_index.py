"""Searching machines by words."""

import random
from dataclasses import replace

import pytest

from netboot.boot.machines.known_machine import REPORT, device_list, new_machine
from netboot.boot.machines.machine_index import MachineIndex

WORDS = ("8086", "100e", "pe 1", "uefi", "52:54", ":0a", "nothing", "pc", "PE", "\n", "")


def machine(key, devices="8086:100e:0200", image="PE 1", firmware="uefi"):
    told = device_list(REPORT, tuple(devices.split()))
    return replace(new_machine(key), told=told, image=image, firmware=firmware)


def plainly(machines, words):
    """Each machine looked at by itself."""
    return {
        one.key
        for one in machines
        for word in words
        if word and any(
            word in text.lower() for text in (one.key, one.image, one.firmware, *one.told.lines)
        )
    }  # fmt: skip


def test_a_search_finds_what_looking_at_each_machine_finds():
    """Whatever came, went and changed before."""
    chance = random.Random(3)
    known, index = {}, MachineIndex()
    for _ in range(600):
        key = chance.choice([f"52:54:00:00:00:{chance.randrange(40):02x}", "PC pool", "pc pool"])
        after = None
        if chance.random() < 0.8:
            after = machine(
                key,
                chance.choice(["8086:100e", "8086:100e 10ec:8168", "1af4:1000:0200"]),
                chance.choice(["", "PE 1", "PE 2", "uefi"]),
                chance.choice(["", "uefi", "bios"]),
            )
        index.change(known.get(key), after)
        known.pop(key, None)
        if after is not None:
            known[key] = after
        words = [word.lower() for word in chance.sample(WORDS, 2) if word]
        assert plainly(known.values(), words) == index.find(words)

    assert len(known) > 20


@pytest.mark.parametrize(
    ("word", "found"),
    [("pool", {"PC pool", "pc pool"}), ("pc pool\npc", set()), ("", set()), ("10ec", {"one"})],
)
def test_words_stand_in_one_machine_at_a_time(word, found):
    """Lines of the text of all addresses do not run into each other."""
    index = MachineIndex()
    for one in (machine("PC pool"), machine("pc pool"), machine("one", "10EC:8168")):
        index.change(None, one)

    assert found == index.find([word])
