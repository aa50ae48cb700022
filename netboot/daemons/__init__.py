"""The processes of a site: boot services, boot HTTP, worker, webhooks, and their supervisor.

They may import every room below; only the commands import them.
"""
