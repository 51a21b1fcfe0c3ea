"""Reactions: none. What intake hears from cases changes what it shows (projections in main.py), and never what it records."""

from shared.reaction import Reactions

REACTIONS = Reactions()
