"""Looking after a whole store: pruning, retention, backups, checks and room on the disk.

Belongs here: what is done to stored data apart from computing and reading them.
"""
