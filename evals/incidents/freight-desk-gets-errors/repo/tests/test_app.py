import unittest

from tariffs.app import answer
from tariffs.surcharges import Surcharges


class Answers(unittest.TestCase):
    def test_a_quote(self):
        status, body = answer("/quote?route=HLM-TJR&length=4.2&day=2026-05-28", Surcharges())
        self.assertEqual((status, body["band"]), (200, "car"))

    def test_an_unknown_route_is_the_callers_mistake(self):
        status, body = answer("/quote?route=SKR-OSL&length=4.2&day=2026-05-28", Surcharges())
        self.assertEqual(status, 400)
        self.assertIn("SKR-OSL", body["error"])

    def test_health(self):
        self.assertEqual(answer("/healthz", Surcharges())[0], 200)


if __name__ == "__main__":
    unittest.main()
