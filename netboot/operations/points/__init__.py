"""Distribution points: update, verify, clean up, quarantine."""
