"""What happened while machines booted: the journal, and rows made from it."""
