"""The database of a site: its schema and rows, migrations, jobs, audit chain and idempotency keys.

Imports nothing else of the store.
"""
