"""Bytes by digest: blobs, the distribution point's folder, an OCI layout, open files for serving.

Imports nothing else of the store: boot services work without the database.
"""
