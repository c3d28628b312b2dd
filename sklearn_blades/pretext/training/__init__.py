"""Photographs and a plan go in, trained towers and task weights come out."""
