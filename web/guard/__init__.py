"""Permissions, and the checks of every request and answer."""
