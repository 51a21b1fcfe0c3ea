"""The published language: one module per publisher and aggregate, one class per fact.

Changes are additive. A breaking change is a new version with an upcaster in `registry`; a golden file per type in
tests/contracts/golden keeps every promise ever made.
"""
