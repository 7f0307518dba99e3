"""Whether the rules find what they are there for: python3 test_history.py"""
import unittest

from history import Fate, History, Request, Way, content


class Histories(unittest.TestCase):
    def setUp(self):
        self.history = History()

    def ask(self, number, connection=1, is_safe=False, size=100, answer_size=200):
        request = Request(number, connection, is_safe, size, answer_size)
        self.history.ask(request)
        return request

    def execute(self, request):
        self.history.execute(request.method, request.connection, request.number, request.body)

    def answer(self, request, body=None):
        names = (request.connection, request.number)
        self.history.answer(request.connection, names, request.answer if body is None else body)

    def assertFound(self, text):
        found = self.history.problems
        self.assertEqual(len([problem for problem in found if text in problem]), 1, found)

    def test_what_is_right_is_no_problem(self):
        pipelined = [self.ask(1), self.ask(2, is_safe=True, size=0), self.ask(3, size=0, answer_size=0)]
        other = self.ask(4, connection=2, size=70_000, answer_size=70_000)
        for request in [other, *pipelined]:
            self.execute(request)
        for request in [*pipelined, other]:
            self.answer(request)
        self.assertEqual(self.history.problems, [])
        self.assertEqual(self.history.count(), {"POST answered": 3, "GET answered": 1})

    def test_a_failed_request_may_be_carried_out_once_or_not_at_all(self):
        first, second = self.ask(1), self.ask(2)
        self.execute(first)
        self.history.end(1)
        self.execute(second)
        self.assertEqual(self.history.problems, [])
        self.assertIs(first.fate, Fate.FAILED)

    def test_a_safe_one_may_be_carried_out_twice(self):
        request = self.ask(1, is_safe=True, size=0)
        self.execute(request)
        self.execute(request)
        self.answer(request)
        self.assertEqual(self.history.problems, [])

    def test_a_doubled_one_is_found(self):
        request = self.ask(1)
        self.execute(request)
        self.answer(request)
        self.execute(request)
        self.assertFound("was carried out 2 times; it is answered")

    def test_a_doubled_one_is_found_even_if_its_client_never_heard_of_it(self):
        request = self.ask(1)
        self.execute(request)
        self.history.end(1)
        self.execute(request)
        self.assertFound("was carried out 2 times; it is failed")

    def test_a_lost_one_is_found(self):
        self.answer(self.ask(1))
        self.assertFound("was answered, and the backend never carried it out")

    def test_a_lost_one_between_pipelined_ones_is_found(self):
        self.ask(1)
        third = self.ask(3)
        self.execute(third)
        self.answer(third)
        self.assertFound("request 1 (POST, 100 bytes) of connection 1 got the answer to request 3 of connection 1")

    def test_a_mixed_byte_of_an_answer_is_found(self):
        request = self.ask(0x1234)
        self.execute(request)
        foreign = content(Way.ANSWER, 7, 0x99, 200)
        self.answer(request, request.answer[:96] + foreign[96:120] + request.answer[120:])
        self.assertFound("from byte 102 on")
        self.assertFound("connection 7, request 153 (a)")

    def test_every_single_changed_byte_is_found(self):
        for place in range(200):
            self.history = History()
            request = self.ask(1)
            self.execute(request)
            body = bytearray(request.answer)
            body[place] ^= 1
            self.answer(request, bytes(body))
            self.assertFound("other ones from byte")

    def test_a_short_answer_and_a_long_one_are_found(self):
        for body in (b"", self.ask(9, connection=9).answer[:-1], self.ask(8, connection=8).answer + b"x"):
            request = self.ask(1)
            self.execute(request)
            self.answer(request, body)
            self.assertFound("bytes instead of 200")
            self.history = History()

    def test_a_mixed_byte_of_a_body_is_found(self):
        request, other = self.ask(1), self.ask(2, connection=2)
        self.history.execute("POST", 1, 1, request.body[:50] + other.body[50:])
        self.assertFound("came to the backend with 100 bytes instead of 100")

    def test_a_request_of_nobody_is_found(self):
        request = self.ask(1)
        self.history.execute("POST", 2, 1, request.body)
        self.history.execute("GET", 1, 1, b"")
        self.history.execute("POST", 1, 2, b"")
        self.assertEqual(len([p for p in self.history.problems if "nobody asked" in p]), 3)

    def test_the_answer_to_another_connection_is_found(self):
        mine, other = self.ask(1), self.ask(2, connection=2)
        self.execute(mine)
        self.history.answer(1, (2, 2), other.answer)
        self.assertFound("got the answer to request 2 of connection 2")

    def test_an_answer_too_many_is_found(self):
        request = self.ask(1)
        self.execute(request)
        self.answer(request)
        self.answer(request)
        self.assertFound("without having asked")

    def test_silence_is_found(self):
        self.ask(1)
        self.history.fall_silent(1, "30 s")
        self.assertFound("open: request 1 (POST, 100 bytes) of connection 1, carried out 0 times")


if __name__ == "__main__":
    unittest.main()
