import unittest

from rate_limiter import RateLimiter


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class RateLimiterTest(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.limiter = RateLimiter(rate=2, burst=4, clock=self.clock)

    def test_it_begins_full(self):
        self.assertEqual([self.limiter.allow("a") for _ in range(5)], [True] * 4 + [False])

    def test_it_fills_with_time(self):
        self.limiter.allow("a", 4)
        self.clock.now += 0.4
        self.assertFalse(self.limiter.allow("a"))
        self.clock.now += 0.1
        self.assertTrue(self.limiter.allow("a"))

    def test_it_never_holds_more_than_the_burst(self):
        self.limiter.allow("a", 4)
        self.clock.now += 1000
        self.assertTrue(self.limiter.allow("a", 4))
        self.assertFalse(self.limiter.allow("a"))

    def test_what_is_refused_takes_nothing(self):
        self.limiter.allow("a", 3)
        self.assertFalse(self.limiter.allow("a", 2))
        self.assertTrue(self.limiter.allow("a", 1))

    def test_keys_have_their_own(self):
        self.limiter.allow("a", 4)
        self.assertTrue(self.limiter.allow("b", 4))

    def test_how_long_to_wait(self):
        self.assertEqual(self.limiter.wait("a", 4), 0.0)
        self.limiter.allow("a", 4)
        self.assertAlmostEqual(self.limiter.wait("a", 3), 1.5)
        self.clock.now += 1
        self.assertAlmostEqual(self.limiter.wait("a", 3), 0.5)

    def test_waiting_takes_nothing_and_makes_no_bucket(self):
        self.limiter.wait("a", 4)
        self.assertEqual(len(self.limiter), 0)
        self.assertTrue(self.limiter.allow("a", 4))

    def test_a_clock_that_goes_back(self):
        self.limiter.allow("a", 4)
        self.clock.now -= 50
        self.assertFalse(self.limiter.allow("a"))
        self.clock.now += 1
        self.assertTrue(self.limiter.allow("a", 2))
        self.assertFalse(self.limiter.allow("a"))

    def test_a_clock_that_goes_back_seen_by_waiting_only(self):
        self.limiter.allow("a", 4)
        self.clock.now -= 50
        self.assertAlmostEqual(self.limiter.wait("a", 2), 1.0)
        self.clock.now += 1
        self.assertEqual(self.limiter.wait("a", 2), 0.0)

    def test_idle_buckets_are_forgotten(self):
        self.limiter.allow("a", 4)
        self.limiter.allow("b", 1)
        self.clock.now += 1
        self.assertEqual(self.limiter.forget_idle(), 1)
        self.assertEqual(len(self.limiter), 1)
        self.assertTrue(self.limiter.allow("b", 4))

    def test_what_can_never_be(self):
        for wrong in (lambda: self.limiter.allow("a", 5), lambda: self.limiter.wait("a", 5),
                      lambda: self.limiter.allow("a", 0), lambda: RateLimiter(0, 1, self.clock),
                      lambda: RateLimiter(1, 0, self.clock)):  # fmt: skip
            with self.assertRaises(ValueError):
                wrong()


if __name__ == "__main__":
    unittest.main()
