"""What accounts and tokens may be: roles, scopes, and how long a token may live.

Apart from the operations, so that the command line can offer them without a database.
"""

ROLES = ("viewer", "operator", "admin")
"""What an account may be; who may do more comes later."""

SCOPES = {"read": "viewer", "operate": "operator", "administer": "admin"}
"""What a token may do at most, as the role of which it may do everything."""

LONGEST_DAYS = 730
"""A token lives so long at most."""
