"""GeoReport v2 (Open311) under `/open311/v2`: services, and service requests in and out.

A request that comes in is a report like any other and goes the same way (`dispatch.http.reports.take`); what goes out
are orders. Writing needs a key, which is a token of role intake. Reading needs none where `open311.public` says so,
and shows less.
"""
