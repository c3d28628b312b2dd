"""Image and text towers, where weights come from; pixels and sentences in, features out."""
