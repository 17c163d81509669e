import unittest
from decimal import Decimal

from stock.money import discounted, price
from stock.orders import Order
from stock.shelf import Shelf

PRICES = {"cup": price("0.33"), "pot": price("19.99")}


class StockTest(unittest.TestCase):
    def test_the_last_piece_is_promised_once(self):
        shelf = Shelf({"cup": 1})
        Order(shelf, PRICES, [("cup", 1)])
        with self.assertRaises(ValueError):
            Order(shelf, PRICES, [("cup", 1)])
        self.assertEqual(shelf.free("cup"), 0)

    def test_what_was_shipped_is_reserved_no_more(self):
        shelf = Shelf({"cup": 5})
        Order(shelf, PRICES, [("cup", 2)]).ship()
        self.assertEqual((shelf.pieces["cup"], shelf.free("cup")), (3, 3))
        Order(shelf, PRICES, [("cup", 3)])

    def test_all_lines_or_none(self):
        shelf = Shelf({"cup": 5, "pot": 1})
        with self.assertRaises(ValueError):
            Order(shelf, PRICES, [("cup", 2), ("pot", 2)])
        self.assertEqual((shelf.free("cup"), shelf.free("pot")), (5, 1))

    def test_the_same_article_on_two_lines(self):
        shelf = Shelf({"cup": 3})
        with self.assertRaises(ValueError):
            Order(shelf, PRICES, [("cup", 2), ("cup", 2)])
        self.assertEqual(shelf.free("cup"), 3)

    def test_cancelled_once(self):
        shelf = Shelf({"cup": 5})
        order = Order(shelf, PRICES, [("cup", 2)])
        order.cancel()
        self.assertEqual(shelf.free("cup"), 5)
        with self.assertRaises(ValueError):
            order.cancel()
        with self.assertRaises(ValueError):
            order.ship()
        self.assertEqual(shelf.free("cup"), 5)

    def test_what_was_shipped_stays_shipped(self):
        shelf = Shelf({"cup": 5})
        order = Order(shelf, PRICES, [("cup", 2)])
        order.ship()
        with self.assertRaises(ValueError):
            order.cancel()
        self.assertEqual((order.state, shelf.free("cup")), ("shipped", 3))

    def test_the_discount_is_taken_once(self):
        order = Order(Shelf({"cup": 9, "pot": 9}), PRICES, [("cup", 1), ("pot", 1), ("cup", 1)], percent=15)
        self.assertEqual(order.total(), Decimal("17.55"))

    def test_rounded_to_the_nearest_cent(self):
        self.assertEqual(discounted(price("10.10"), 5), Decimal("9.60"))
        self.assertEqual(discounted(price("0.99"), 50), Decimal("0.50"))
        self.assertEqual(discounted(price("1.00"), 0), Decimal("1.00"))
        self.assertEqual(discounted(price("3.33"), 100), Decimal("0.00"))

    def test_an_order_without_lines(self):
        total = Order(Shelf(), PRICES, [], percent=10).total()
        self.assertIsInstance(total, Decimal)
        self.assertEqual(total, Decimal("0.00"))

    def test_shelves_have_pieces_of_their_own(self):
        given = {}
        one, other = Shelf(given), Shelf(given)
        one.add("cup", 2)
        self.assertEqual((given, other.free("cup")), ({}, 0))
        full = {"cup": 1}
        Shelf(full).add("cup", 5)
        self.assertEqual(full, {"cup": 1})


if __name__ == "__main__":
    unittest.main()
