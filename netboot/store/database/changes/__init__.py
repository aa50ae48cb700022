"""What has changed: counters by table, one moment for all reads, and who is woken by a commit."""
