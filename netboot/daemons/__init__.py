"""The processes of a site: boot services, boot HTTP, worker, webhooks, and their supervisor.

Up here everything below may be used; only commands and the program's entry know the daemons.
"""
