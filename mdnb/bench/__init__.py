"""Measurements of mdnb beside the libraries that do the same, on data made on the spot."""
