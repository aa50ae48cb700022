"""The driver catalog over the API."""
