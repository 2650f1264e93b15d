"""What JetStream's answers mean: done, refused for good, or ask again."""

import msgspec
import pytest

from quasar.log.jetstream_api import ApiError, Unanswered, check_answer


def refusal(code: int, err_code: int) -> bytes:
    """An answer as a server writes it."""
    error = {"code": code, "err_code": err_code, "description": "no suitable peers"}
    return msgspec.json.encode({"error": error})


def test_an_answer_is_given_back() -> None:
    """As the object that it is."""
    assert check_answer(b'{"seq": 7}') == {"seq": 7}


@pytest.mark.parametrize(("code", "err_code"), [(503, 10008), (429, 1), (400, 10176), (400, 10005)])
def test_what_passes_is_asked_again(code: int, err_code: int) -> None:
    """A server that is busy, a batch that was cut off, a cluster that is not whole yet."""
    with pytest.raises(Unanswered, match="no suitable peers"):
        check_answer(refusal(code, err_code))


def test_what_does_not_pass_is_an_error() -> None:
    """With the server's own code."""
    with pytest.raises(ApiError, match="10059") as raised:
        check_answer(refusal(404, 10059))
    assert raised.value.code == 10059
