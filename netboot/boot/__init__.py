"""How a machine boots, pure decisions: who asks, what it gets, what happened."""
