"""Findings, and one renderer a format."""

NOTHING_FOUND = "No conflicting migrations."
