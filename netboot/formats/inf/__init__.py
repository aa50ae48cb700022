"""INF files of driver packages, read as Windows reads them."""
