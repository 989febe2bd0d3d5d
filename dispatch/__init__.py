"""The dispatch engine: reports in, offers out, grabs judged, crews at the door in time.

PostgreSQL decides, the event log tells, pure functions choose. Read docs/flow.md, then `dispatch.orders`,
then the steps in order: intake, offers, grabs, planning, overrides, relay, visits, clocks, feedback.
"""
