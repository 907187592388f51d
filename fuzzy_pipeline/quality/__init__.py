"""What is wrong with ticks, and what is done about it.

Belongs here: validation of raw ticks (rows set aside with a rule, rows flagged and kept) and, on stored
tables, quality rules. Nothing here drops a row: in = kept + set aside + official prints.
"""
