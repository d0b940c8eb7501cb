"""Generated teams: developers who change models at random, meet, rebase and switch branches."""
