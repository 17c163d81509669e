"""Notes, kept in memory."""


class Note:
    """A note; ``id`` is its own for ever, ``changed`` is when it was last changed."""

    def __init__(self, id, title, changed):
        self.id = id
        self.title = title
        self.changed = changed


class Store:
    """The notes by their ids."""

    def __init__(self):
        self._notes = {}
        self._given = 0

    def add(self, title, changed):
        """Keep a new note."""
        self._given += 1
        note = Note(self._given, title, changed)
        self._notes[note.id] = note
        return note

    def remove(self, id):
        """Let go of a note; a KeyError if there is none."""
        del self._notes[id]

    def all(self):
        """Every note, in no order."""
        return list(self._notes.values())
