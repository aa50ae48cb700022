"""Bootable media and disk packages of a version."""
