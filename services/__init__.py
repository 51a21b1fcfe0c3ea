"""The four services, each of its own; what composes them (together), and what drives them (simulation)."""
