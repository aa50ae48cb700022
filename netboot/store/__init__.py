"""What touches the disk: blobs, database, foreign tools, journal, driver packages, media, WIMs."""
