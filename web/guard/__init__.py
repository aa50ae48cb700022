"""Permissions, and the checks of every request and answer; conflicting edits of one form."""
