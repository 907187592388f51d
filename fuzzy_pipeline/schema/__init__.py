"""Every column, table and code, declared once.

Belongs here: columns, tables, fixed codes, code tables of the feed and the models of single records. Arrow
types, checks, views and the column reference are derived from here; nothing here computes market data.
"""
