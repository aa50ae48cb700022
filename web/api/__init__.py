"""The REST API: everything the console does, for scripts, described by OpenAPI."""
