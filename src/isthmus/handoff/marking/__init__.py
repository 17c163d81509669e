"""What is marked to stay home, and how it is known again wherever it turns up."""
