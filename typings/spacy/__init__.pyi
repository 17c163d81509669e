"""What Isthmus uses of spacy."""
