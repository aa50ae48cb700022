"""The administrators' console: pages and API over netboot.operations."""
