"""A streamed call to an address that speaks Chat Completions; engines and providers both stand on it."""
