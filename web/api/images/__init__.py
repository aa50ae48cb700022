"""Boot images over the API."""
