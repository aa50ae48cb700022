"""Bytes by digest: the blob store, what a distribution point holds of it, and how daemons open it.

Imports nothing else of the store: boot services work without the database.
"""
