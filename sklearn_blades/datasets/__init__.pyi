from .layouts import load_fdf as load_fdf
from .layouts import load_generator_folders as load_generator_folders
from .simulator import make_photos as make_photos

__all__ = ["load_fdf", "load_generator_folders", "make_photos"]
