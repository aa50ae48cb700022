"""Trust between a site and its points: keys, the desired state, how a point joins."""
