"""GeoReport's words for orders and reports: what is told to whom, and what a form becomes."""

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sanic import Request, Sanic
from sanic.compat import Header

from crew_client.protocol import Clock, Location
from crew_client.protocol.words import FAULTS
from dispatch.errors import DispatchError, Forbidden, Invalid, KeyReused, Malformed, NotFound, TooLarge, Unavailable
from dispatch.georeport import SERVICES, Details, service_notice, service_request
from dispatch.georeport_form import MOST, Parameters, read_question, read_report
from dispatch.http.open311.formats import Document, refused, to_xml
from dispatch.orders import DONE, Order, State

HARBIN = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 1, 15, 0, 30, tzinfo=UTC)
DETAILS = Details("水管漏了,找王秀兰 13800000000", NOW + timedelta(minutes=5), "https://x.example/1.jpg", "道里热力")


def order(state: State = State.OFFERED, **fields: Any) -> Order:
    """An order of a flat whose place is known to seven decimals."""
    usual = {
        "id": "o1",
        "version": 1,
        "cycle": 1,
        "zone": "z",
        "category": "leak",
        "severity": 4,
        "location": Location(126.6051234, 45.7456789),
        "address": {"text": "友谊路1号3栋2单元501", "address_id": "545483", "zipcode": "150000"},
        "required_skills": (),
        "crew": None,
        "claimed_by": None,
        "reported_at": NOW,
        "clocks": {"resolve": Clock("running", NOW, NOW + timedelta(days=1))},
    }
    return Order(state=state, **{**usual, **fields})


def form(**given: str) -> Parameters:
    return Parameters({name: [text] for name, text in given.items()})


def shown(one: Order, *, whole: bool = True) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(service_request(one, DETAILS, zone=HARBIN, whole=whole))
    return told


def test_every_fault_of_the_ledger_is_a_service() -> None:
    assert set(SERVICES) == set(FAULTS)
    for code, service in SERVICES.items():
        assert (service.service_code, service.service_name) == (code, FAULTS[code])
        assert all((service.description, service.keywords, service.group))
        assert (service.metadata, service.type) == (False, "realtime")


def test_who_has_a_key_is_told_everything_but_whom_to_call() -> None:
    assert shown(order()) == {
        "service_request_id": "o1",
        "status": "open",
        "status_notes": "待抢",
        "service_name": FAULTS["leak"],
        "service_code": "leak",
        "description": DETAILS.description,
        "agency_responsible": "道里热力",
        "service_notice": "已受理,维修人员会上门处理。",
        "requested_datetime": "2026-01-15T08:30:00+08:00",
        "updated_datetime": "2026-01-15T08:35:00+08:00",
        "expected_datetime": "2026-01-16T08:30:00+08:00",
        "address": "友谊路1号3栋2单元501",
        "address_id": "545483",
        "zipcode": "150000",
        "lat": 45.7456789,
        "long": 126.6051234,
        "media_url": "https://x.example/1.jpg",
    }


def test_everybody_is_told_where_to_a_hundred_metres_and_no_words() -> None:
    told = shown(order(State.TRANSFERRED, transferred_to="二热 张工 139"), whole=False)
    assert (told["lat"], told["long"]) == (45.746, 126.605)
    assert {name for name, value in told.items() if value is None} == {
        "description",
        "address",
        "address_id",
        "zipcode",
        "media_url",
    }
    assert told["agency_responsible"] == "道里热力"
    text = str(told)
    assert not any(secret in text for secret in ("王秀兰", "138", "139", "友谊路", "545483", "x.example"))


@pytest.mark.parametrize("state", State)
def test_a_request_is_closed_where_no_work_is_left(state: State) -> None:
    told = shown(order(state, crew="c", merged_into="o2" if state is State.MERGED else None))
    assert told["status"] == ("closed" if state in DONE else "open")
    assert (told["service_notice"] is None) == (state in DONE)
    assert told["status_notes"]


def test_a_merged_request_says_which_one_goes_on() -> None:
    assert shown(order(State.MERGED, merged_into="o2"))["status_notes"] == "已并单,并入 o2"


def test_a_transferred_request_is_open_and_names_who_answers_for_it() -> None:
    told = shown(order(State.TRANSFERRED, transferred_to="第二热力公司"))
    assert (told["status"], told["agency_responsible"]) == ("open", "第二热力公司")


def test_an_order_without_a_place_is_being_looked_for() -> None:
    told = shown(order(State.UNZONED, location=None, address=None, clocks={}))
    assert (told["lat"], told["long"], told["address"], told["expected_datetime"]) == (None, None, None, None)
    assert "核实地点" in (service_notice(order(State.UNZONED)) or "")


def test_a_report_that_came_otherwise_is_shown_under_its_own_word() -> None:
    told = shown(order(category="窗户", address={"compound": "松江家园", "building": 3}))
    assert (told["service_name"], told["service_code"], told["address"]) == ("窗户", "窗户", "松江家园 3")


WHOLE = {
    "api_key": ["secret"],
    "jurisdiction_id": ["default"],
    "service_code": ["leak"],
    "lat": ["45.745"],
    "long": ["126.605"],
    "address_string": ["友谊路1号"],
    "address_id": ["545483"],
    "email": ["a@b.c"],
    "device_id": ["d1"],
    "account_id": ["77"],
    "first_name": ["秀兰"],
    "last_name": ["王"],
    "phone": ["13800000000"],
    "description": ["漏水\n两天了"],
    "media_url": ["https://x.example/1.jpg"],
    "attribute[WHISPAWN]": ["123456"],
    "attribute[ROOMS][]": ["1", "2"],
    "attribute[ONE][]": ["1"],
    "utm_source": ["app"],
    "zipcode": [""],
}


def test_nothing_of_a_form_is_lost_but_the_key() -> None:
    assert msgspec.to_builtins(read_report(Parameters(WHOLE))) == {
        "channel": "open311",
        "category": "leak",
        "description": "漏水\n两天了",
        "contact": {"name": "王秀兰", "phone": "13800000000"},
        "address": {"text": "友谊路1号", "address_id": "545483"},
        "location": {"lon": 126.605, "lat": 45.745, "crs": "wgs84"},
        "extra": {
            "email": "a@b.c",
            "device_id": "d1",
            "account_id": "77",
            "media_url": "https://x.example/1.jpg",
            "attribute[WHISPAWN]": "123456",
            "attribute[ROOMS][]": ["1", "2"],
            "attribute[ONE][]": ["1"],
            "utm_source": "app",
        },
    }


def test_a_service_alone_makes_a_report() -> None:
    report = read_report(form(service_code="burst", lat="", long="", phone="", description=""))
    assert msgspec.to_builtins(report) == {"channel": "open311", "category": "burst"}


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [
        ("秀兰", "王", "王秀兰"),
        ("Mary", "Smith", "Mary Smith"),
        ("", "王", "王"),
        ("Mary", "", "Mary"),
        ("Mary", "王", "王Mary"),
    ],
)
def test_a_name_is_written_as_its_language_writes_it(first: str, last: str, name: str) -> None:
    contact = read_report(form(service_code="leak", first_name=first, last_name=last)).contact
    assert contact is not None
    assert contact.name == name


@pytest.mark.parametrize(
    ("lat", "long"), [("91", "0"), ("-1e300", "181"), ("+45.7", ".5"), ("45.", "1E2"), (" 45 ", "1\x1f")]
)
def test_any_two_numbers_are_taken_as_a_place(lat: str, long: str) -> None:
    location = read_report(form(service_code="leak", lat=lat, long=long)).location
    assert location is not None
    assert (location.lat, location.lon) == (float(lat), float(long.strip()))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"service_code": ""}, "service_code"),
        ({"lat": "45.7"}, "long"),
        ({"long": "126"}, "lat"),
        ({"lat": "45,7", "long": "1"}, "lat"),
        ({"lat": "1", "long": "nan"}, "long"),
        ({"lat": "1", "long": "1e999"}, "long"),
        ({"lat": "1", "long": "inf"}, "long"),
        ({"lat": "1_0", "long": "1"}, "lat"),
        ({"lat": "४५", "long": "1"}, "lat"),
        ({"lat": "0x10", "long": "1"}, "lat"),
        ({"description": "x" * 10_001}, "description"),
        ({"phone": "1" * 65}, "phone"),
        ({"first_name": "x" * 201}, "first_name"),
        ({"description": "a\0b"}, "description"),
        ({"attribute[\0]": "x"}, "attribute[?]"),
        ({f"field{n}": "x" for n in range(101)}, "the form"),
    ],
)
def test_what_is_wrong_with_a_form_is_named(given: dict[str, str], named: str) -> None:
    with pytest.raises(Malformed) as refused:
        read_report(form(**{"service_code": "leak", **given}))
    assert refused.value.detail.startswith(f"{named}: ")


@pytest.mark.parametrize("name", ["service_code", "lat", "media_url", "email", "phone", "account_id"])
def test_a_parameter_that_has_one_value_is_refused_with_two(name: str) -> None:
    with pytest.raises(Malformed, match=f"^{name}: given more than once"):
        read_report(Parameters({"service_code": ["leak"], "lat": ["1"], "long": ["1"], name: ["1", "2"]}))


def test_an_unknown_service_is_not_found() -> None:
    with pytest.raises(NotFound, match=r"^service_code: 'paint' was not found"):
        read_report(form(service_code="paint"))


def test_a_question_without_words_is_about_the_last_ninety_days_and_whatever_is_there_after_them() -> None:
    asked = read_question(form(status="", page="", service_code=" , "), NOW)
    assert asked.since == NOW - timedelta(days=90)
    assert asked.until > NOW + timedelta(minutes=10)  # another engine's time may be ahead of this one's
    assert (asked.ids, asked.codes, asked.open, asked.skip, asked.size) == (None, None, None, 0, 1000)


def test_a_question_is_read_whole() -> None:
    given = Parameters(
        {
            "start_date": ["2025-12-01T00:00:00 08:00"],
            "end_date": ["2025-12-31T16:00:00Z"],
            "service_code": ["leak,burst", "noise"],
            "status": ["closed"],
            "page": ["3"],
            "page_size": ["50"],
            "extensions": ["true"],
        }
    )
    asked = read_question(given, NOW)
    assert asked.since == datetime(2025, 11, 30, 16, tzinfo=UTC)
    assert asked.until == datetime(2025, 12, 31, 16, tzinfo=UTC)
    assert (asked.codes, asked.open, asked.skip, asked.size) == (["leak", "burst", "noise"], False, 100, 50)


@pytest.mark.parametrize(("status", "only_open"), [("open", True), ("closed", False), ("open,closed", None)])
def test_a_status_asks_for_open_or_closed_or_both(status: str, only_open: bool | None) -> None:
    assert read_question(form(status=status), NOW).open is only_open


def test_ids_override_everything_else() -> None:
    asked = read_question(form(service_request_id="o2, o1,,o2", status="nonsense", start_date="x"), NOW)
    assert asked.ids == ["o2", "o1"]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"status": "done"}, "status"),
        ({"start_date": "2026-01-01"}, "start_date"),
        ({"start_date": "2026-01-01T00:00:00"}, "start_date"),
        ({"end_date": "1767225600"}, "end_date"),
        ({"end_date": "0001-01-01T00:00:00Z"}, "end_date"),
        ({"start_date": "9999-12-31T23:59:59-14:00"}, "start_date"),
        ({"start_date": "2025-10-01T00:00:00Z"}, "start_date"),
        ({"start_date": "2025-01-01T00:00:00Z", "end_date": "2025-06-01T00:00:00Z"}, "start_date"),
        ({"page": "0"}, "page"),
        ({"page": "-1"}, "page"),
        ({"page": "1.5"}, "page"),
        ({"page": "102"}, "page"),
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "1001"}, "page_size"),
        ({"page_size": "٣"}, "page_size"),
        ({"service_request_id": ",".join(f"o{n}" for n in range(MOST + 1))}, "service_request_id"),
    ],
)
def test_what_is_wrong_with_a_question_is_named(given: dict[str, str], named: str) -> None:
    with pytest.raises(DispatchError) as refused:
        read_question(form(**given), NOW)
    assert refused.value.status == 400
    assert refused.value.detail.startswith(f"{named}: ")


def test_xml_is_well_formed_whatever_it_says() -> None:
    words = "<b>&amp;]]>\0\x01\x1f\x7f\ufffe\U0001f525\t行"
    root = ElementTree.fromstring(
        to_xml(Document("services", [{"description": words, "metadata": False, "none": None}]))
    )
    (service,) = root
    assert (root.tag, service.tag) == ("services", "service")
    assert service.findtext("description") == "<b>&amp;]]>���\x7f�\U0001f525\t行"
    assert (service.findtext("metadata"), service.findtext("none")) == ("false", "")


def asked(path: str, **headers: str) -> Request:
    """A request as the server hands it to a route."""
    return Request(path.encode(), Header(headers), "1.1", "GET", None, _app)  # type: ignore[arg-type]  # no transport


_app: Sanic[Any, Any] = Sanic("georeport")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Invalid.field("/x", "is wrong"), 400),
        (Malformed(), 400),
        (Forbidden(), 403),
        (NotFound(), 404),
        (TooLarge(), 413),
        (KeyReused(), 422),
        (Unavailable(), 503),
    ],
)
def test_an_error_is_a_list_of_one_with_its_status_in_it(error: DispatchError, status: int) -> None:
    answer = refused(asked("/open311/v2/requests.json"), error)
    assert (answer.status, answer.headers.get("retry-after")) == (status, "2" if status == 503 else None)
    assert msgspec.json.decode(answer.body or b"") == [{"code": status, "description": error.detail}]
    answer = refused(asked("/open311/v2/requests", accept="application/xml"), error)
    (told,) = ElementTree.fromstring((answer.body or b"").decode())
    assert (told.findtext("code"), told.findtext("description")) == (str(status), error.detail)


def test_an_error_that_quotes_no_text_can_be_told() -> None:
    for path in ("/open311/v2/requests.json", "/open311/v2/requests.xml"):
        assert b"?" in (refused(asked(path, accept="\udcff"), Malformed("\udcff")).body or b"")
