"""Machines, deployments and test machines over the API."""
