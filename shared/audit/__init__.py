"""The audit trail: what is exported, proven and replayed from a service's record."""
