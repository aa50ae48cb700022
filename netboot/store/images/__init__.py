"""Boot images as rows, and as files that are kept in git."""
