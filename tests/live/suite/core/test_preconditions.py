"""What If-Match and If-None-Match say (RFC 9110, section 13)."""

import pytest

from src.core.errors import (
    BadRequestError,
    PreconditionFailedError,
    PreconditionRequiredError,
)
from src.core.preconditions import is_known, precondition_of

HASH = "0123456789abcdef"


@pytest.mark.parametrize(
    "header",
    [
        f'"7-{HASH}"',
        f'W/"7-{HASH}", "7-{HASH}"',
        f'"6-{HASH}" ,\t"7-{HASH}"',
        f', ,"7-{HASH}",',
        f'"of,somebody", "7-{HASH}"',
        " * ",
    ],
)
def test_a_row_of_this_version_may_be_changed(header: str) -> None:
    precondition_of(header, is_required=True).check(7)


@pytest.mark.parametrize(
    "header", [f'W/"7-{HASH}"', f'"6-{HASH}"', '"7"', f'"7-{HASH}0"', f'"x7-{HASH}"']
)
def test_a_row_of_another_version_may_not(header: str) -> None:
    with pytest.raises(PreconditionFailedError):
        precondition_of(header, is_required=False).check(7)


def test_a_header_may_be_required() -> None:
    precondition_of(None, is_required=False).check(7)
    with pytest.raises(PreconditionRequiredError):
        precondition_of(None, is_required=True).check(7)


@pytest.mark.parametrize(
    "header",
    [
        *("", ",", "7", '"7', '"a" "b"', 'w/"a"', '*, "a"'),
        # Each would take minutes in time that grows with the square of the length.
        *(f'"a"{" " * 60_000}x', f'"a"{"," * 60_000}x', '"a", ' * 20_000 + '"'),
    ],
    ids=lambda header: header[:8],
)
def test_malformed_tags_are_refused(header: str) -> None:
    with pytest.raises(BadRequestError):
        precondition_of(header, is_required=False)
    with pytest.raises(BadRequestError):
        is_known(header, f'"7-{HASH}"')


@pytest.mark.parametrize(
    ("header", "known"),
    [
        (f'"7-{HASH}"', True),
        (f'W/"7-{HASH}"', True),  # a weak comparison is enough to send nothing
        (f'"6-{HASH}", "7-{HASH}"', True),
        ("*", True),
        (f'"7-{HASH[::-1]}"', False),
    ],
)
def test_a_response_is_known_by_its_tag(header: str, known: bool) -> None:
    assert is_known(header, f'"7-{HASH}"') == known
    assert not is_known(header, "")  # there is none to compare with
