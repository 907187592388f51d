"""Operating a store: who did what, and what a person decides about it.

Belongs here: the audit log, the quarantine desk, what is missing and made up for. Nothing here imports Dagster; what
starts runs does so from above.
"""
