"""From a trained generator to structures, their checks, and their comparison with molecular dynamics."""
