"""Foreign tools and foreign files on a leash: confinement, 7z and cabextract, archives.

Imports nothing else of the store.
"""
