"""What is kept, and where: arrays in memory and on disk, objects in one file without code."""
