"""Dagster resources: typed fields and one ``open()`` that gives a plain object.

Belongs here: what assets, checks and jobs are handed, and Dagster's instance configuration (``dagster.yaml``).
"""
