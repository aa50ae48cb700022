"""Foreign tools and untrusted files: confinement, 7z and cabextract, archives.

Imports nothing else of the store.
"""
