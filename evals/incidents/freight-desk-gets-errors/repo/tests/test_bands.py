import unittest

from tariffs.bands import band_for, excess


class LengthBands(unittest.TestCase):
    def test_an_ordinary_car_is_a_car(self):
        self.assertEqual(band_for(4.4).name, "car")

    def test_the_limit_belongs_to_the_shorter_band(self):
        self.assertEqual(band_for(5.0).name, "car")
        self.assertEqual(band_for(5.1).name, "long car")

    def test_a_semi_trailer_is_articulated(self):
        self.assertEqual(band_for(16.5).name, "articulated")

    def test_nothing_is_beyond_the_last_band_up_to_its_limit(self):
        self.assertEqual(excess(18.75), 0)


if __name__ == "__main__":
    unittest.main()
