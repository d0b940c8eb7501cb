"""Findings, and one renderer a format."""
