"""How files are built: a stream comes in; what Pillow is to see, EXIF and a profile go out."""
