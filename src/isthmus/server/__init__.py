"""HTTP only: one file an API; keys and origins in `guard`, errors in `failures`, addresses in `listen`."""
