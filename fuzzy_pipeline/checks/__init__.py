"""Dagster asset checks, partitioned by trading date.

Belongs here: checks over what a date's assets stored. "Could not run" is an exception, "is bad" a failed check.
"""
