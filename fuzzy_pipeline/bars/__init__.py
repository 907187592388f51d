"""Bars: each family says where bars end, one shared aggregation says what they hold.

Belongs here: bar families (one module each), the registry that names them and the shared aggregation.
Bars are built from enriched ticks in memory; nothing here reads a store.
"""
