"""The administration console: pages and API over netboot.operations."""
