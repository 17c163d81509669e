"""Where weights come from: one module a scheme, each an entry point of the group ``isthmus.sources``."""
