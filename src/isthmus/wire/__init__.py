"""JSON and the nouns, for each API that Isthmus speaks: as a server, and as a client of others."""
