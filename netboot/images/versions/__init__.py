"""Content versions, their differences, and the updates of distribution points."""
