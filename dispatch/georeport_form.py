"""What a GeoReport client sends: parameters in, a report or a question out, or an error naming the parameter. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from math import isfinite
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from dispatch.errors import Invalid, Malformed, NotFound
from dispatch.georeport import SERVICES
from dispatch.intake import ReportIn
from dispatch.problems import instant, is_text, problem_of, with_offset

CHANNEL = "open311"
LONGEST = timedelta(days=90)
MOST = 1_000
"""Requests on one page, and ids in one question."""

MOST_SKIPPED = 100_000
"""Requests before a page: whoever wants more asks for less time."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_COUNT = re.compile(r"0*[1-9]\d{0,8}", re.ASCII)
_CHINESE = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_ADDRESS = {"address_string": ("text", 1_000), "address_id": ("address_id", 200)}
"""Members of an address, and the characters that fit into it: it goes to every phone. The whole is kept in `extra`."""

_SINGLE = ("email", "device_id", "account_id", "media_url")
_PARAMETERS = {"/contact/name": "first_name", "/contact/phone": "phone", "/description": "description"}
"""Where a report's limits are to be told under another name."""


class RequestForm(Struct, frozen=True):
    """A request as its form has it. What else is sent is kept with the report, under its name."""

    service_code: Annotated[str, Meta(extra_json_schema={"enum": sorted(SERVICES)})]
    api_key: Annotated[str | None, Meta(description="a token of role intake; also as `Authorization: Bearer`")] = None
    jurisdiction_id: Annotated[str | None, Meta(description="the key's city")] = None
    lat: Annotated[float | None, Meta(description="degrees, WGS-84; with `long` or not at all")] = None
    long: Annotated[float | None, Meta(description="degrees, WGS-84; with `lat` or not at all")] = None
    address_string: str | None = None
    address_id: str | None = None
    description: Annotated[str, Meta(max_length=10_000)] | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    email: str | None = None
    device_id: str | None = None
    account_id: str | None = None
    media_url: str | None = None


_OURS = frozenset(RequestForm.__struct_fields__) - set(_SINGLE)


class CityAsked(Struct, frozen=True):
    """The parameter that every resource takes."""

    jurisdiction_id: Annotated[str | None, Meta(description="the id of a city; `default` where none is named")] = None


class RequestsQuery(CityAsked, frozen=True):
    """Which requests are listed: all of the last 90 days where nothing is said."""

    service_request_id: Annotated[str | None, Meta(description="ids between commas; overrides all others")] = None
    service_code: Annotated[str | None, Meta(description="codes between commas")] = None
    status: Annotated[str | None, Meta(description="`open`, `closed`, or both between commas")] = None
    start_date: Annotated[str | None, Meta(description="a time with its offset")] = None
    end_date: Annotated[str | None, Meta(description="a time with its offset, at most 90 days later")] = None
    page: Annotated[int, Meta(ge=1)] = 1
    page_size: Annotated[int, Meta(ge=1, le=MOST)] = MOST


class Parameters:
    """What was given under each name. An empty value counts as left out, as GeoReport asks; NUL is refused by name."""

    def __init__(self, given: Mapping[str, list[str]]) -> None:
        self.values: dict[str, list[str]] = {}
        for name, texts in given.items():
            for text in (name, *texts):
                if "\0" in text or not is_text(text):
                    raise Malformed(f"{_shown(name)}: holds a character that is none, such as NUL; take it out")
            if kept := [text for text in texts if text]:
                self.values[name] = kept

    def one(self, name: str) -> str | None:
        """Return the only value of a parameter, None where it was left out; raise `Malformed` where it has several."""
        texts = self.values.get(name, [])
        if len(texts) > 1:
            raise Malformed(f"{name}: given more than once")
        return texts[0] if texts else None

    def several(self, name: str) -> list[str] | None:
        """Return the values of a parameter, which commas separate too; None where it was left out."""
        texts = [part.strip() for text in self.values.get(name, []) for part in text.split(",")]
        return [text for text in texts if text] or None

    def number(self, name: str) -> float | None:
        """Return the value of a parameter that is a number."""
        text = self.one(name)
        if text is None:
            return None
        bare = text.strip()
        number = float(bare) if _NUMBER.fullmatch(bare) else None
        if number is None or not isfinite(number):
            raise Malformed(f"{name}: {text[:40]!r} is no number; give degrees as in 45.7512")
        return number

    def count(self, name: str, *, usual: int) -> int:
        """Return the value of a parameter that counts from 1."""
        text = self.one(name)
        if text is not None and not _COUNT.fullmatch(text):
            raise Malformed(f"{name}: {text[:40]!r} is no number from 1 on")
        return usual if text is None else int(text)

    def moment(self, name: str) -> datetime | None:
        """Return the value of a parameter that is a time, in UTC."""
        text = self.one(name)
        if text is None:
            return None
        try:
            return instant(msgspec.convert(with_offset(text), datetime), name)
        except (msgspec.ValidationError, Invalid):
            detail = "is no time; give it with its offset, as in 2026-01-15T00:00:00Z"
            raise Malformed(f"{name}: {text[:40]!r} {detail}") from None


def read_report(given: Parameters) -> ReportIn:
    """Return the report that a form makes.

    Raises `NotFound` for a service that is not on the list, `Malformed` for everything else that is wrong. No place, a
    place that is none on earth and an address that nobody knows are all taken.
    """
    code = given.one("service_code")
    if code is None:
        raise Malformed("service_code: was not provided; `services` lists them")
    if code not in SERVICES:
        raise NotFound(f"service_code: {code[:40]!r} was not found; `services` lists them")
    contact = {"name": _name(given.one("first_name"), given.one("last_name")), "phone": given.one("phone")}
    address = {member: (given.one(name) or "")[:most] or None for name, (member, most) in _ADDRESS.items()}
    report = {
        "channel": CHANNEL,
        "category": code,
        "description": given.one("description"),
        "contact": _known(contact) or None,
        "address": _known(address) or None,
        "location": _location(given.number("lat"), given.number("long")),
        "extra": _extra(given) or None,
    }
    try:
        return msgspec.convert(report, ReportIn)
    except msgspec.ValidationError as error:
        problem = problem_of(error)
        raise Malformed(f"{_PARAMETERS.get(problem.pointer, 'the form')}: {problem.detail}") from None


def _known(members: dict[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in members.items() if text is not None}


def _location(lat: float | None, long: float | None) -> dict[str, float] | None:
    if (lat is None) != (long is None):
        missing, there = ("lat", "long") if lat is None else ("long", "lat")
        raise Malformed(f"{missing}: was not provided, {there} was; give both or neither")
    return None if lat is None or long is None else {"lon": long, "lat": lat}


def _name(first: str | None, last: str | None) -> str | None:
    """Return a name as its language writes it: 王秀兰, but Mary Smith."""
    if _CHINESE.search(f"{first or ''}{last or ''}"):
        return f"{last or ''}{first or ''}"
    return " ".join(part for part in (first, last) if part) or None


def _extra(given: Parameters) -> dict[str, Any]:
    """Return what has no place in a report, under the names that it came with: a text, or the list of several."""
    for name in _SINGLE:
        given.one(name)
    extra: dict[str, Any] = {}
    for name, texts in given.values.items():
        if name not in _OURS or (name in _ADDRESS and len(texts[0]) > _ADDRESS[name][1]):
            extra[name] = texts if len(texts) > 1 or name.endswith("[]") else texts[0]
    return extra


class RequestsAsked(Struct, frozen=True):
    """Which requests somebody asks for: those of `ids`, or those that were reported in a time.

    `open` None asks for both; `skip` and `size` are the page.
    """

    since: datetime
    until: datetime
    ids: list[str] | None = None
    codes: list[str] | None = None
    open: bool | None = None
    page: int = 1
    size: int = MOST

    @property
    def skip(self) -> int:
        """How many come before the page."""
        return (self.page - 1) * self.size


def read_question(given: Parameters, now: datetime) -> RequestsAsked:
    """Return which requests a query asks for; raise `Malformed` that names the parameter."""
    ids = given.several("service_request_id")
    if ids is not None:  # it overrides all others
        if len(ids) > MOST:
            raise Malformed(f"service_request_id: {len(ids)} ids are too many, {MOST} may be asked for at once")
        return RequestsAsked(now, now, ids=list(dict.fromkeys(ids)))
    since, until = _span(given.moment("start_date"), given.moment("end_date"), now)
    statuses = set(given.several("status") or ())
    if unknown := sorted(statuses - {"open", "closed"}):
        raise Malformed(f"status: {unknown[0][:40]!r} is none; they are open and closed")
    asked = RequestsAsked(
        since,
        until,
        codes=given.several("service_code"),
        open="open" in statuses if len(statuses) == 1 else None,
        page=given.count("page", usual=1),
        size=given.count("page_size", usual=MOST),
    )
    if asked.size > MOST:
        raise Malformed(f"page_size: at most {MOST}")
    if asked.skip > MOST_SKIPPED:
        raise Malformed("page: there is none so far back; ask for less time by start_date and end_date")
    return asked


def _span(since: datetime | None, until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """Return the time that is asked for: the last 90 days where nothing is said.

    Without an end it goes on past `now`: what another engine has just taken may be later than this one's time.
    """
    try:
        since = (until or now) - LONGEST if since is None else since
        if (until or now) - since > LONGEST:
            raise Malformed(f"start_date: more than {LONGEST.days} days before end_date, or before now; ask for less")
    except OverflowError:
        raise Malformed("end_date: lies before the first years of the calendar") from None
    return since, until or now + LONGEST


def _shown(name: str) -> str:
    return name[:40].encode(errors="replace").decode().replace("\0", "?")
