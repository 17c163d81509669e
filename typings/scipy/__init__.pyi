"""What Isthmus uses of SciPy, which ships no types."""
