"""Validation messages as pointers that a caller can follow."""

import msgspec
import pytest

from dispatch.errors import Invalid, Malformed
from dispatch.http.reading import read_json
from dispatch.intake import ReportIn
from dispatch.problems import problem_of


def pointer_of(body: bytes) -> str:
    with pytest.raises(Invalid) as caught:
        read_json(body, ReportIn)
    return caught.value.problems[0].pointer


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"channel":"a"}', "/category"),
        (b'{"channel":"a","category":"b","colour":1}', "/colour"),
        (b'{"channel":"a","category":"b","severity":9}', "/severity"),
        (b'{"channel":"a","category":"b","location":{"lon":"x","lat":1}}', "/location/lon"),
        (b'{"channel":"a","category":"b","location":{"lat":1}}', "/location/lon"),
        (b'{"channel":"a","category":"b","contact":{"fax":1}}', "/contact/fax"),
        (b'{"channel":"a","category":"b","required_skills":["ok",3]}', "/required_skills/1"),
        (b'{"channel":"a","category":"b","description":"x\\u0000y"}', "/description"),
        (b'{"channel":"a","category":"b","address":{"a":["x","\\u0000"]}}', "/address/a/1"),
        (b"[]", ""),
        (b'{"channel":"\\ud800","category":"b"}', "/channel"),
        (b'{"channel":"a","category":"b","location":{"lon":NaN,"lat":1}}', "/location/lon"),
        (b'{"channel":"a","category":"b","location":{"lon":1,"lat":-Infinity}}', "/location/lat"),
    ],
)
def test_a_wrong_field_is_pointed_at(body: bytes, pointer: str) -> None:
    assert pointer_of(body).replace("...", "1") == pointer


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (
            b'{"channel":"a","category":"b","location":{"lon":1,"lat":2,"crs":"gcj"}}',
            "'gcj' is none of wgs84, gcj02, bd09",
        ),
        (b'{"channel":"a","category":"b","location":{"lon":1,"lat":2,"crs":7}}', "Expected `str | null`, got `int`"),
    ],
)
def test_a_value_that_is_none_of_several_is_told_which_they_are(body: bytes, detail: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_json(body, ReportIn)
    assert sorted(caught.value.problems[0].detail.replace(",", "").split()) == sorted(detail.replace(",", "").split())


@pytest.mark.parametrize("number", ["1e999", "-1e999", '[1, {"b": 1e999}]'])
def test_a_number_too_large_in_an_address_is_pointed_at(number: str) -> None:
    below = "/1/b" if "[" in number else ""
    assert (
        pointer_of(b'{"channel":"a","category":"b","address":{"x/y":%s}}' % number.encode()) == f"/address/x~1y{below}"
    )


def test_where_a_mapping_is_wrong_inside_the_pointer_is_one() -> None:
    class Counts(msgspec.Struct):
        of: dict[str, int]

    with pytest.raises(Invalid) as caught:
        read_json(b'{"of":{"a":"x"}}', Counts)
    assert caught.value.problems[0].pointer == "/of"


@pytest.mark.parametrize("body", [b"", b"{", b"nope", b"\xff\xfe"])
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_json(body, ReportIn)


def test_nesting_without_end_is_malformed() -> None:
    with pytest.raises(Malformed):
        read_json(b'{"channel":"a","category":"b","address":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}", ReportIn)


def test_a_key_with_a_slash_is_escaped_as_a_pointer_asks() -> None:
    class Thing(msgspec.Struct, forbid_unknown_fields=True):
        a: int = 0

    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(b'{"x/y~z":1}', type=Thing)
    assert problem_of(caught.value).pointer == "/x~1y~0z"
