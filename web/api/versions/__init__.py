"""Content versions and their media over the API."""
