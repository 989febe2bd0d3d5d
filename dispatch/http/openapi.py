"""The OpenAPI 3.1 document, made from the tables of routes, GeoReport's too, and the structs that they name."""

import re
from typing import Any

import msgspec

from dispatch.http.open311.description import IDEMPOTENCY_KEY, KEYS, described_kinds, described_paths
from dispatch.http.routing import PREFIX, File, Route, Routes
from dispatch.http.shapes import ProblemDocument

_PARAMETER = re.compile(r"<(\w+):str>")


def openapi_document(routes: Routes) -> bytes:
    """Return the document as JSON."""
    kinds: list[Any] = [ProblemDocument]
    for route in routes.table:
        kinds += [kind for kind in (_body_of(route), route.answer) if kind not in (None, bytes, File)]
    kinds += described_kinds()
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    by_kind = {repr(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes.table:
        path = PREFIX + _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, by_kind)
    paths |= described_paths(by_kind)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "qiangdan",
            "version": "1",
            "summary": "Real-time dispatch of repair crews",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}, **KEYS},
        },
    }
    return msgspec.json.encode(document)


def _operation(route: Route, by_kind: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "description": _who_may(route),
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {
            str(route.status): {
                "description": "done",
                "content": {"application/json": {"schema": by_kind.get(repr(route.answer), {})}},
            },
            **({"200": _again(route, by_kind)} if route.status == 201 else {}),
            "default": {
                "description": "what went wrong",
                "content": {"application/problem+json": {"schema": by_kind[repr(ProblemDocument)]}},
            },
        },
    }
    if route.opener is not None:
        operation["security"] = []
    elif route.method == "POST":
        operation["parameters"].append(IDEMPOTENCY_KEY)
    operation["responses"][str(route.status)]["content"] |= {media: {} for media in route.gives if "json" not in media}
    if route.answer is File:
        operation["responses"]["200"]["content"] = {"image/*": {}}
    if route.body is bytes:
        operation["requestBody"] = {"required": True, "content": {route.takes: _RAW.get(route.takes, {})}}
    elif _body_of(route) is not None:
        schema = by_kind[repr(_body_of(route))]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _body_of(route: Route) -> Any:
    return route.body if route.items is None else list[route.items]  # type: ignore[name-defined]  # a kind at run time


_RAW = {"application/geo+json": {"schema": {"type": "object"}}}


def _who_may(route: Route) -> str:
    if route.opener is not None:
        return "No token is needed."
    others = {"admin"} if route.roles != frozenset({"crew"}) else set()
    return f"Roles: {', '.join(sorted(route.roles | others))}."


def _again(route: Route, by_kind: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": "it was there before: the first answer",
        "content": {"application/json": {"schema": by_kind.get(repr(route.answer), {})}},
    }


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    """Return the query parameters: one for each member of the route's query struct. An empty one counts as left out."""
    _, components = msgspec.json.schema_components([route.query], ref_template="#/components/schemas/{name}")
    schema = components[route.query.__name__]
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "allowEmptyValue": True, "schema": member}
        for name, member in schema["properties"].items()
    ]
