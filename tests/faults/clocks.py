"""A process whose machine has the wrong time: the one place where the product asks it is `dispatch.engine`."""

from datetime import datetime, timedelta, tzinfo


def set_wrong(seconds: float) -> None:
    """Let this process's clock be wrong by so many seconds."""
    import dispatch.engine

    class WrongTime(datetime):
        """The time of a machine whose clock is wrong."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # what it gives is plain time
            return datetime.now(tz) + timedelta(seconds=seconds)

    setattr(dispatch.engine, "datetime", WrongTime)  # noqa: B010  # a name that the module has imported, not its own
