import unittest
from datetime import date

from tariffs.seasons import season_for


class Seasons(unittest.TestCase):
    def test_winter_crosses_the_new_year(self):
        self.assertEqual(season_for(date(2025, 12, 31)), "winter")
        self.assertEqual(season_for(date(2026, 1, 1)), "winter")

    def test_may_is_standard(self):
        self.assertEqual(season_for(date(2026, 5, 28)), "standard")


if __name__ == "__main__":
    unittest.main()
