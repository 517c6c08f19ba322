import unittest

from deposits.release import is_due


class Release(unittest.TestCase):
    def test_an_open_claim_keeps_the_deposit(self):
        self.assertFalse(is_due({"ended_at": "2025-01-31T12:00:00", "open_claims": 1}, None))
