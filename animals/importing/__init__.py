"""Intake files of public shelters: read, planned against what is there, carried out."""
