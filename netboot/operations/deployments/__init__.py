"""Deployments and default images: which machine gets which boot image."""
