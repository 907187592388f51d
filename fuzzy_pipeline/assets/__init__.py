"""Dagster assets, partitioned by trading date.

Belongs here: the assets and their partitions. An asset picks the symbols, runs one step over them and reports;
the work itself is in ``steps``.
"""
