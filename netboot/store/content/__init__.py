"""Bytes by digest: the blob store, the distribution point's folder, and open files for serving.

Imports nothing else of the store: boot services work without the database.
"""
