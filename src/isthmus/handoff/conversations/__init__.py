"""Conversations that change hands: who answered before, what each side may read, what one asks the other."""
