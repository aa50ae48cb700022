"""The commands of `netboot`: one module a subject, thin over netboot.operations."""
