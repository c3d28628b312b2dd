"""What the words of the command `blades` do."""
