"""What the files say: one migration, one tree, one git ref, and the graph over them.

Nothing here needs Django: migrations are read as text and never executed.
"""
