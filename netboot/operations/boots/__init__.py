"""Boots and the boot network: what machines did, who was answered and why."""
