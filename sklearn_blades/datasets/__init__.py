"""Photographs to learn from: a simulator, and the folder layouts that people have."""

from .layouts import load_fdf, load_generator_folders
from .simulated import make_photos

__all__ = ["load_fdf", "load_generator_folders", "make_photos"]
