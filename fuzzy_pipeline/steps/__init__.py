"""What is done to one symbol of one date: read, call one function, write, report.

Belongs here: the unit of work of each asset, in a form that runs inline or in a worker process, and the loop
over a date's symbols. Formulas and rules live in the layers below; Dagster in the layers above.
"""
