import unittest
from datetime import date

from deskkit.workdays import add_workdays, is_workday
from letters.dates import payable_until
from objections.deadlines import answer_by


class Workdays(unittest.TestCase):
    def test_weekends_do_not_count(self):
        self.assertEqual(add_workdays(date(2026, 3, 6), 1), date(2026, 3, 9))

    def test_easter_does_not_count(self):
        self.assertEqual(add_workdays(date(2026, 4, 2), 1), date(2026, 4, 7))

    def test_saturday_is_closed(self):
        self.assertFalse(is_workday(date(2026, 3, 7)))

    def test_a_simple_objection_is_answered_in_four_weeks(self):
        self.assertEqual(answer_by(date(2026, 6, 1), "simple"), date(2026, 6, 29))

    def test_letters_say_when_to_pay(self):
        self.assertEqual(payable_until(date(2026, 6, 1)), "15.06.2026")


if __name__ == "__main__":
    unittest.main()
