"""The catalogue of error codes, and the exception that becomes an error response."""

from __future__ import annotations

import re

import pytest

from parlour.vocabulary import error_catalogue
from parlour.vocabulary.error_catalogue.entry import read_table
from parlour.vocabulary.errors import CATALOGUE, LOG_ONLY, ApiError, Entry, clear_tracebacks


def test_the_body_of_an_error_has_the_members_in_order() -> None:
    body = ApiError(20001, "Invalid PageSize.").body()
    assert list(body) == ["code", "message", "more_info", "status"]
    assert body == {
        "code": 20001,
        "message": "Invalid PageSize.",
        "more_info": "https://www.twilio.com/docs/errors/20001",
        "status": 400,
    }


def test_values_fill_the_message() -> None:
    error = ApiError(50416, conversation_sid="CH1")
    assert error.status == 409
    assert error.message == (
        "A binding for this participant and proxy address already exists in Conversation CH1"
    )
    assert str(error) == f"50416: {error.message}"


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        (20003, 401, "Authenticate"),
        (20004, 405, "Method not allowed"),
        (20429, 429, "Too many requests"),
        (50201, 409, "User already exists"),
        (50304, 400, "Attributes not valid JSON"),
        (50353, 409, "Conversation with provided unique name already exists"),
        (50407, 400, "Invalid messaging binding address"),
        (50433, 409, "Participant already exists"),
    ],
)
def test_messages_that_clients_parse_are_exact(code: int, status: int, message: str) -> None:
    error = ApiError(code)
    assert (error.status, error.message) == (status, message)


def test_the_group_list_error_ends_with_the_sid() -> None:
    assert ApiError(50438, conversation_sid="CH2").message == (
        "Group MMS with given participant list already exists as Conversation CH2"
    )


def test_a_given_message_is_not_a_template() -> None:
    assert ApiError(20404, "{path}").message == "{path}"


def test_a_given_value_is_not_a_template() -> None:
    assert ApiError.not_found("/Users/{x}").message == (
        "The requested resource /Users/{x} was not found"
    )


def test_a_given_status_replaces_that_of_the_catalogue() -> None:
    error = ApiError(20422, "Used with another request.", status=422)
    assert (error.status, error.body()["status"]) == (422, 422)
    assert ApiError(20422).status == 400


def test_headers_are_stored() -> None:
    assert ApiError(20503).headers == {}
    assert ApiError(20503, headers={"Retry-After": "1"}).headers == {"Retry-After": "1"}


def test_the_error_of_a_missing_parameter_contains_its_name() -> None:
    error = ApiError.missing("Identity")
    assert error.body()["message"] == "Missing required parameter Identity in the post body"
    assert (error.code, error.status) == (20001, 400)


def test_the_error_of_an_invalid_parameter_contains_its_name() -> None:
    error = ApiError.invalid("Page")
    assert (error.code, error.status, error.message) == (20001, 400, "Invalid Page.")


def test_an_unknown_code_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        ApiError(1)


def test_a_template_without_its_value_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        ApiError(20404)


def test_a_log_only_code_cannot_be_raised() -> None:
    assert CATALOGUE[50057].status == LOG_ONLY
    with pytest.raises(ValueError, match="50057 is never an HTTP answer"):
        ApiError(50057)


def test_a_handled_error_references_no_frames() -> None:
    def fail() -> None:
        try:
            {}["x"]
        except KeyError as error:
            raise ApiError(20404, path="") from error

    caught: ApiError | None = None
    try:
        fail()
    except ApiError as error:
        caught = error
    assert caught is not None
    assert caught.__cause__ is not None
    assert caught.__cause__.__traceback__ is not None

    clear_tracebacks(caught)

    assert caught.__traceback__ is None
    assert caught.__cause__.__traceback__ is None


def test_every_entry_is_complete() -> None:
    for code, entry in CATALOGUE.items():
        assert entry.code == code
        assert entry.status == LOG_ONLY or 400 <= entry.status <= 503, entry
        assert entry.message == entry.message.strip() != "", entry
        assert re.fullmatch(r"[A-Z].*\.", entry.when), entry
        assert "  " not in entry.message + entry.when, entry


def test_no_code_is_in_two_tables() -> None:
    codes = [e.code for table in error_catalogue._TABLES for e in read_table(table)]
    assert len(codes) == len(set(codes)) == len(CATALOGUE)


def test_every_range_of_codes_is_present() -> None:
    groups = {code // 100 for code in CATALOGUE}
    chat = {500, 501, 502, 503, 504, 505, 506, 507}
    assert chat | {200, 201, 204, 700, 112, 212, 300, 630, 510, 511, 512} <= groups


def test_a_table_is_parsed_entry_by_entry() -> None:
    table = "\n1 400 One word\n    First line\n    and second.\n\n2 0 Two {x}\n    Third.\n"
    assert list(read_table(table)) == [
        Entry(1, 400, "One word", "First line and second."),
        Entry(2, 0, "Two {x}", "Third."),
    ]
