import unittest

from money import parse


class ParseTest(unittest.TestCase):
    def test_plain(self):
        self.assertEqual(parse("12.30"), 1230)


if __name__ == "__main__":
    unittest.main()
