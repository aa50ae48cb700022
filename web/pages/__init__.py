"""The console's pages, by subject: a blueprint a module, thin over netboot.operations."""
