"""Accounts, tokens, the audit log and webhooks over the API."""
