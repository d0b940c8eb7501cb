"""Repairs: first a plan, which is a value; then carried out, all of it or nothing."""
