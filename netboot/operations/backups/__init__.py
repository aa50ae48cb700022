"""Backups: made, verified and restored; a site's database moved, or taken back after an upgrade."""
