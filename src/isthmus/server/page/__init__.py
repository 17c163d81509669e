"""What the page at /docs is made of."""
