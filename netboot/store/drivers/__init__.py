"""Driver packages on disk, and the driver catalog's rows."""
