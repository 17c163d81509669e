"""Pages of notes, the last changed first."""

from notes.cursor import pack, unpack


class Page:
    """Some notes, and the cursor of the next page; None if this is the last."""

    def __init__(self, notes, next):
        self.notes = notes
        self.next = next


def page(store, size, after=None, words=""):
    """So many notes whose title holds the words, after the cursor."""
    if size < 1:
        raise ValueError("a page holds one note at least")
    asked = words.lower().split()
    found = [note for note in store.all() if all(word in note.title.lower() for word in asked)]
    found.sort(key=lambda note: (-note.changed, note.id))
    if after is not None:
        changed, id = unpack(after)
        found = [note for note in found if (-note.changed, note.id) > (-changed, id)]
    notes = found[:size]
    if len(found) <= size:
        return Page(notes, None)
    return Page(notes, pack(notes[-1].changed, notes[-1].id))
