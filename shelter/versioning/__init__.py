"""Keeps every database at the version its code expects, and sees conflicts before they happen."""
