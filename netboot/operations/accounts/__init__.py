"""Accounts, sessions, API tokens, the audit log and webhooks."""
