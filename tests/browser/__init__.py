"""Walks through the admin in a real headless browser."""
