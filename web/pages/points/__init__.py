"""The page of distribution points."""
