"""Backup files, and the rows of a database as text that SQLite and PostgreSQL both take."""
