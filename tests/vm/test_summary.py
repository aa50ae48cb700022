from vm.summary import record, summarise


def test_the_last_line_counts_passed_and_failed_boots(tmp_path):
    """A run with a failure names it and is not well."""
    notes = tmp_path / "boots.json"
    record(notes, name="bios-x64 e1000", passed=True, seconds=11.04)
    record(notes, name="uefi-x64 e1000", passed=False, seconds=60)

    text, well = summarise(notes.read_text().splitlines(), 125.2)
    assert text == "failed: uefi-x64 e1000 after 60 s\ntime: 2 min 5 s\nboots: 1 passed, 1 failed"
    assert well is False


def test_a_run_without_any_boot_is_not_well():
    """No machine booted means that nothing was proved."""
    assert summarise([], 1.0) == ("time: 0 min 1 s\nboots: 0 passed, 0 failed", False)
