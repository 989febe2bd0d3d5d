"""The published documents as judges: every answer and every frame that a test sees is held to them."""

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import httpx
from jsonschema_rs import Draft202012Validator

Document = dict[str, Any]


class OpenApi:
    """`/openapi.json`, and whether an answer is what it says."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._paths = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path, item) for path, item in document["paths"].items()
        ]
        self._validators: dict[str, Draft202012Validator] = {}
        self.seen: set[tuple[str, str, str]] = set()

    def operation(self, method: str, path: str) -> tuple[str, Document] | None:
        """The template and the operation of a request; None for one that is not in the document."""
        fixed = sorted(self._paths, key=lambda entry: entry[1].count("{"))
        for pattern, template, item in fixed:
            if pattern.fullmatch(path) and method.lower() in item:
                return template, item[method.lower()]
        return None

    def check(self, response: httpx.Response) -> None:
        """Fail where the answer is not one that the document promises."""
        request = response.request
        found = self.operation(request.method, request.url.path)
        if found is None:
            assert response.status_code in (404, 405), f"{request.method} {request.url.path} is not in the document"
            return
        template, operation = found
        key = str(response.status_code) if str(response.status_code) in operation["responses"] else "default"
        answers = operation["responses"][key]["content"]
        kind = response.headers["content-type"].split(";")[0]
        self.seen.add((request.method, template, key))
        if list(answers) == ["image/*"]:
            assert kind.startswith("image/")
            return
        assert kind in answers
        if not answers[kind]:
            return  # a file to be kept
        where = f"{request.method} {template} {response.status_code}"
        if kind == "text/xml":
            self.check_xml(answers[kind]["schema"], ElementTree.fromstring(response.content), where)
        else:
            self.validate(answers[kind]["schema"], response.json(), where)

    def check_xml(self, schema: Document, element: ElementTree.Element, where: str) -> None:
        """Fail where an element is not called as the document says, or holds members that it does not know."""
        if "xml" in schema:
            assert element.tag == schema["xml"]["name"], f"{where}: {element.tag}"
        while "allOf" in schema or "$ref" in schema:
            schema = schema["allOf"][0] if "allOf" in schema else self._component(schema["$ref"])
        for member in element:
            inner = schema["items"] if "items" in schema else schema["properties"].get(member.tag)
            assert inner is not None, f"{where}: {element.tag} has no {member.tag}"
            self.check_xml(inner, member, where)

    def _component(self, reference: str) -> Document:
        schema: Document = self.document["components"]["schemas"][reference.rsplit("/", 1)[1]]
        return schema

    def validate(self, schema: Document, value: Any, where: str) -> None:
        """Fail where a value does not fit a schema of the document."""
        name = repr(schema)
        if name not in self._validators:
            self._validators[name] = Draft202012Validator({**schema, "components": self.document["components"]})
        for error in self._validators[name].iter_errors(value):
            raise AssertionError(f"{where}: {error.instance_path}: {error.message[:400]}")


class AsyncApi:
    """`/asyncapi.json`, and whether a frame of a channel is what it says."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._validators: dict[tuple[str, str], Draft202012Validator] = {}
        self.seen: set[tuple[str, str]] = set()
        messages = document["components"]["messages"]
        for name, operation in document["operations"].items():
            if operation["action"] != "send":
                continue
            channel = name.removeprefix("send_")
            for reference in operation["messages"]:
                message = messages[reference["$ref"].rsplit("/", 1)[1]]
                self._validators[channel, message["name"]] = Draft202012Validator(
                    {**message["payload"], "components": document["components"]}
                )

    def check(self, channel: str, frame: Mapping[str, Any]) -> None:
        """Fail where the server sent what the document does not know."""
        kind = frame["type"]
        validator = self._validators.get((channel, kind))
        assert validator is not None, f"the document knows no {kind} to the {channel}: {frame}"
        self.seen.add((channel, kind))
        for error in validator.iter_errors(frame):
            raise AssertionError(f"{channel} {kind}: {error.instance_path}: {error.message[:400]}")
