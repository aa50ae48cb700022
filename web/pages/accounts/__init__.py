"""Pages of users, sign-in, tokens, the audit log and webhooks."""
