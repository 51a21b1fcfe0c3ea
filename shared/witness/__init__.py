"""A witness: a small program of its own, run by a department, that never signs two histories of one log."""
