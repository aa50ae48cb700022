"""Pages of the site as a whole: overview, jobs, settings, API guide, metrics."""
