"""Content versions: build them, compare them, and decide which may be published."""
