"""Pages of machines, of driver coverage, and of test machines."""
