"""Where ticks come from.

Belongs here: the source protocol and its implementations (files, IQFeed). A source hands over what it was
given, whole or not at all; judging ticks is ``quality``'s work.
"""
