"""What touches the disk: blobs, database, foreign tools, jobs, points."""
