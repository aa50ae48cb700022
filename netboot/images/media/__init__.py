"""What media and disk packages of a version hold."""
