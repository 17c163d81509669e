import unittest

from recent_cache import RecentCache


class RecentCacheTest(unittest.TestCase):
    def test_what_is_put_can_be_got(self):
        cache = RecentCache(2)
        cache.put("a", 1)
        self.assertEqual(cache.get("a"), 1)
        self.assertIsNone(cache.get("b"))
        self.assertEqual(cache.get("b", 7), 7)

    def test_the_oldest_goes(self):
        cache = RecentCache(2)
        for key in "abc":
            cache.put(key, key)
        self.assertEqual(cache.keys(), ["b", "c"])

    def test_getting_is_using(self):
        cache = RecentCache(2)
        cache.put("a", 1)
        cache.put("b", 2)
        cache.get("a")
        cache.put("c", 3)
        self.assertEqual(cache.keys(), ["a", "c"])

    def test_putting_again_is_using(self):
        cache = RecentCache(2)
        cache.put("a", 1)
        cache.put("b", 2)
        cache.put("a", 3)
        cache.put("c", 4)
        self.assertEqual(cache.keys(), ["a", "c"])
        self.assertEqual(cache.get("a"), 3)

    def test_peeking_and_asking_are_not_using(self):
        cache = RecentCache(2)
        cache.put("a", 1)
        cache.put("b", 2)
        self.assertEqual(cache.peek("a"), 1)
        self.assertIn("a", cache)
        cache.put("c", 3)
        self.assertNotIn("a", cache)
        self.assertEqual(cache.peek("a", "gone"), "gone")

    def test_none_is_a_value(self):
        cache = RecentCache(2)
        cache.put("a", None)
        cache.put("b", 1)
        self.assertIsNone(cache.get("a", "default"))
        cache.put("c", 2)
        self.assertIn("a", cache)

    def test_what_is_forgotten_is_told(self):
        told = []
        cache = RecentCache(1, on_forget=lambda key, value: told.append((key, value)))
        cache.put("a", 1)
        cache.put("a", 2)
        self.assertEqual(told, [])
        cache.put("b", 3)
        self.assertEqual(told, [("a", 2)])

    def test_how_many(self):
        cache = RecentCache(3)
        self.assertEqual(len(cache), 0)
        for key in (1, 2, 1, 3, 4):
            cache.put(key, key)
        self.assertEqual(len(cache), 3)

    def test_no_capacity(self):
        with self.assertRaises(ValueError):
            RecentCache(0)


if __name__ == "__main__":
    unittest.main()
