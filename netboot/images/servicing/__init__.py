"""What a build changes in a copy of the source."""
