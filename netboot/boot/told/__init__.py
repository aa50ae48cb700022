"""What happened in a boot: events, the rungs that it reached, and why it stopped."""
