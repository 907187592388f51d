"""Jobs, schedules and launching.

Belongs here: when runs start and how the ``fuzzy`` command starts them.
"""
