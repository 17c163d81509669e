import unittest

from stock.money import price
from stock.orders import Order
from stock.shelf import Shelf


class BasicsTest(unittest.TestCase):
    def test_an_order_reserves(self):
        shelf = Shelf({"cup": 3})
        Order(shelf, {"cup": price("2.50")}, [("cup", 2)])
        self.assertEqual(shelf.free("cup"), 1)

    def test_too_many_at_once(self):
        with self.assertRaises(ValueError):
            Order(Shelf({"cup": 3}), {"cup": price("2.50")}, [("cup", 4)])

    def test_what_it_costs(self):
        order = Order(Shelf({"cup": 3}), {"cup": price("2.50")}, [("cup", 2)])
        self.assertEqual(order.total(), price("5"))

    def test_it_ships_once(self):
        order = Order(Shelf({"cup": 3}), {"cup": price("2.50")}, [("cup", 2)])
        order.ship()
        with self.assertRaises(ValueError):
            order.ship()


if __name__ == "__main__":
    unittest.main()
