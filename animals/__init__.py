"""The animals of the shelter, their stays, and whom they are registered to."""
