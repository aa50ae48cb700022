"""What is known of a machine from its boots."""
