"""Days, weeks and hours as the city's wall clock has them. Pure: moments come in, moments go out, both in UTC."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """Return the day of the calendar that a moment falls on."""
    return moment.astimezone(zone).date()


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """Return when a day begins."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def start_of_week(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return when the week of a moment began: on Monday."""
    day = day_of(moment, zone)
    return start_of(day - timedelta(days=day.weekday()), zone)


def start_of_hour(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return when the hour of a moment began."""
    local = moment.astimezone(zone)
    return moment.astimezone(UTC) - timedelta(
        minutes=local.minute, seconds=local.second, microseconds=local.microsecond
    )


def each_hour(since: datetime, until: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Return the beginnings of the hours from that of `since` until before `until`."""
    hour = start_of_hour(since, zone)
    while hour < until:
        yield hour
        hour += HOUR
