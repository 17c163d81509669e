import unittest

from notes.query import page
from notes.store import Store


class BasicsTest(unittest.TestCase):
    def setUp(self):
        self.store = Store()
        for number in range(5):
            self.store.add(f"note {number}", changed=100 + number)

    def test_the_last_changed_first(self):
        self.assertEqual([note.title for note in page(self.store, 2).notes], ["note 4", "note 3"])

    def test_the_next_page(self):
        first = page(self.store, 3)
        second = page(self.store, 3, after=first.next)
        self.assertEqual([note.title for note in second.notes], ["note 1", "note 0"])
        self.assertIsNone(second.next)

    def test_words(self):
        self.assertEqual([note.title for note in page(self.store, 9, words="3").notes], ["note 3"])


if __name__ == "__main__":
    unittest.main()
