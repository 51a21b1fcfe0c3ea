"""`minewatch …`: commands for the people who run a town."""
