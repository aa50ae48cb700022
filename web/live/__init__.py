"""Live pages: their parts, and the stream that reports changes."""
