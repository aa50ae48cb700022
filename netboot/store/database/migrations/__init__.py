"""The schema of the site's database, step by step."""
