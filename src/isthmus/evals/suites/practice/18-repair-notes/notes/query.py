"""Pages of notes, the last changed first."""

from notes.cursor import pack, unpack


class Page:
    """Some notes, and the cursor of the next page; None if this is the last."""

    def __init__(self, notes, next):
        self.notes = notes
        self.next = next


def page(store, size, after=None, words=""):
    """So many notes whose title holds the words, after the cursor."""
    found = [note for note in store.all() if words in note.title]
    found.sort(key=lambda note: note.changed)
    found.reverse()
    if after:
        changed = unpack(after)
        found = [note for note in found if note.changed < changed]
    notes = found[:size]
    if len(notes) < size:
        return Page(notes, None)
    return Page(notes, pack(notes[-1].changed))
