"""Boots and the boot network over the API."""
