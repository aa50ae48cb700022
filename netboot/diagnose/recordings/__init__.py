"""The story of boots that were recorded in a capture file."""
