import unittest
from datetime import date

from tariffs.quote import Request, quote
from tariffs.surcharges import Surcharges


class Quotes(unittest.TestCase):
    def test_a_car_in_may(self):
        fare = quote(Request("SKR-HLM", 4.0, date(2026, 5, 4)), Surcharges())
        self.assertEqual(fare["total"], 2400 + 4 * 35)

    def test_summer_costs_a_fifth_more_deck(self):
        fare = quote(Request("SKR-HLM", 4.0, date(2026, 7, 1)), Surcharges())
        self.assertEqual(fare["deck"], 2880)

    def test_freight_pays_for_its_papers(self):
        with_papers = quote(Request("SKR-LIN", 12.0, date(2026, 5, 4), freight=True), Surcharges())
        without = quote(Request("SKR-LIN", 12.0, date(2026, 5, 4)), Surcharges())
        self.assertEqual(with_papers["total"] - without["total"], 900)


if __name__ == "__main__":
    unittest.main()
