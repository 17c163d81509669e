import base64
import json
import re
import unittest

from notes.query import page
from notes.store import Store


def filled(*changed, title="note"):
    store = Store()
    for each in changed:
        store.add(f"{title} {each}", each)
    return store


def ids(store, size, **more):
    """The ids on each page."""
    pages, after = [], None
    while True:
        got = page(store, size, after=after, **more)
        pages.append([note.id for note in got.notes])
        if got.next is None:
            return pages
        after = got.next


class NotesTest(unittest.TestCase):
    def test_changed_at_the_same_time(self):
        self.assertEqual(ids(filled(7, 7, 7, 7, 9), 2), [[5, 1], [2, 3], [4]])

    def test_no_empty_page_at_the_end(self):
        self.assertEqual(ids(filled(1, 2, 3, 4), 2), [[4, 3], [2, 1]])
        self.assertEqual(ids(filled(), 2), [[]])

    def test_fractions_of_a_second(self):
        self.assertEqual(ids(filled(1.5, 1.25, 1.5), 1), [[1], [3], [2]])

    def test_an_id_is_given_once(self):
        store = filled(1, 2, 3)
        store.remove(1)
        added = store.add("new", 4)
        self.assertEqual(added.id, 4)
        store.remove(4)
        self.assertEqual(store.add("newer", 5).id, 5)
        self.assertEqual(len(store.all()), 3)

    def test_words_whatever_their_case_and_place(self):
        store = Store()
        for title in ("Green Tea and cake", "tea", "Cake", "TEACAKE", "coffee"):
            store.add(title, 1)
        self.assertEqual(ids(store, 9, words="tea"), [[1, 2, 4]])
        self.assertEqual(ids(store, 9, words="cake  TEA"), [[1, 4]])
        self.assertEqual(ids(store, 9, words="  "), [[1, 2, 3, 4, 5]])

    def test_a_cursor_can_stand_in_an_address(self):
        for changed in range(0, 4000, 13):
            cursor = page(filled(changed + 1, changed, changed), 2).next
            self.assertRegex(cursor, re.compile(r"^[-_=A-Za-z0-9]+$"))

    def test_a_cursor_outlives_its_note(self):
        store = filled(5, 5, 5, 5)
        cursor = page(store, 2).next
        store.remove(2)
        store.add("newest", 9)
        self.assertEqual([note.id for note in page(store, 9, after=cursor).notes], [3, 4])

    def test_what_is_no_cursor(self):
        good = page(filled(1, 2), 1).next
        made_up = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode()
                   for each in ({}, [], [1, 2, 3], ["a", "b"], [None, None], 7, "x", [[1], 2])]  # fmt: skip
        for cursor in ("", "x", "no cursor", "é", good[:-3], good[1:], "====", *made_up):
            with self.subTest(cursor=cursor), self.assertRaises(ValueError):
                page(filled(1, 2), 1, after=cursor)

    def test_no_size(self):
        for size in (0, -1):
            with self.subTest(size=size), self.assertRaises(ValueError):
                page(filled(1, 2), size)


if __name__ == "__main__":
    unittest.main()
