"""What happened in a boot: events, the ladder they climb, and why a boot stopped."""
