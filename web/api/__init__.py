"""The API: every verb of the pages for scripts, described by OpenAPI."""
