"""Live pages: which parts a page shows, and the stream that says when they changed."""
