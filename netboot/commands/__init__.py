"""The commands of `netboot`: one module for each subject, thin over netboot.operations."""
