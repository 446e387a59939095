"""Operations of an OpenAPI document (3.0 and 3.1) by their names. The document is a local file and refers to nothing
outside itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.venue.schema import faults
from adapters.venue.text import MISSING, at, parsed, tokens_of

DOCUMENT_BYTES_MAX = 4 * 1024 * 1024
OPERATIONS_MAX = 4_096
REFERENCES_MAX = 16
METHODS = ("get", "put", "post", "delete", "patch")
JSON = "application/json"
IDEMPOTENCY = "idempotency-key"
_VERSION = re.compile(r"3\.[01]\.[0-9]{1,2}\Z")
_VARIABLE = re.compile(r"\{([^{}]{1,64})\}")


@dataclass(frozen=True)
class Parameter:
    name: str
    place: str
    """path, query, header or cookie."""
    required: bool
    schema: Any


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    """In capitals."""
    path: str
    parameters: tuple[Parameter, ...]
    body: Any
    """The schema of its JSON body, MISSING where it takes none."""
    body_required: bool
    answer: Any
    """The schema of its JSON answer where all is well, MISSING where the document names none."""

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(_VARIABLE.findall(self.path))

    def of(self, place: str) -> dict[str, Parameter]:
        return {one.name: one for one in self.parameters if one.place == place}

    @property
    def takes_idempotency_key(self) -> bool:
        """Whether the document names the header: repeats under one key then have one effect, as the venue says."""
        return IDEMPOTENCY in {name.lower() for name in self.of("header")}


class Document:
    """Raises ValueError with what is wrong with the file."""

    def __init__(self, raw: bytes) -> None:
        if len(raw) > DOCUMENT_BYTES_MAX:
            raise ValueError(f"is above {DOCUMENT_BYTES_MAX} bytes")
        try:
            self._root = parsed(raw)
        except ValueError as wrong:
            raise ValueError(f"is no JSON ({str(wrong)[:80]}); OpenAPI in YAML has to be turned into JSON") from None
        version = self._root.get("openapi") if isinstance(self._root, dict) else None
        if type(version) is not str or not _VERSION.match(version):
            raise ValueError("is no OpenAPI document of version 3.0 or 3.1")
        self.operations: dict[str, Operation] = {}
        for operation in self._all():
            if operation.name in self.operations:
                raise ValueError(f"has two operations named {operation.name[:60]!r}")
            self.operations[operation.name] = operation
            if len(self.operations) > OPERATIONS_MAX:
                raise ValueError(f"has above {OPERATIONS_MAX} operations")

    def resolve(self, reference: Any) -> Any:
        """ValueError where it leads out of the document or to nothing."""
        if type(reference) is not str or not reference.startswith("#"):
            raise ValueError(f"refers to {str(reference)[:60]!r}, outside the document; put it in")
        found = at(self._root, tokens_of(reference[1:].replace("%7B", "{").replace("%7D", "}")))
        if found is MISSING:
            raise ValueError(f"refers to {reference[:60]!r}, which is not there")
        return found

    def _plain(self, value: Any) -> Any:
        """Behind its references."""
        for _ in range(REFERENCES_MAX):
            if not isinstance(value, Mapping) or "$ref" not in value:
                return value
            value = self.resolve(value["$ref"])
        raise ValueError("has references that lead to each other")

    def _table(self, value: Any) -> Mapping[str, Any]:
        found = self._plain(value)
        return found if isinstance(found, Mapping) else {}

    def _all(self) -> Iterator[Operation]:
        for path, item in self._table(self._root.get("paths")).items():
            table = self._table(item)
            for method in METHODS:
                operation = self._table(table.get(method))
                name = operation.get("operationId")
                if type(name) is str and path.startswith("/"):
                    yield self._operation(name, method.upper(), path, table, operation)

    def _operation(
        self, name: str, method: str, path: str, item: Mapping[str, Any], table: Mapping[str, Any]
    ) -> Operation:
        shared, own = self._parameters(item.get("parameters")), self._parameters(table.get("parameters"))
        found = {(one.place, one.name): one for one in (*shared, *own)}
        body = self._table(table.get("requestBody"))
        answers = self._table(table.get("responses"))
        well: Any = next((answers[code] for code in ("200", "201", "202", "2XX", "default") if code in answers), {})
        return Operation(
            name,
            method,
            path,
            tuple(found.values()),
            self._schema(body),
            body.get("required") is True,
            self._schema(self._table(well)),
        )

    def _parameters(self, listed: Any) -> list[Parameter]:
        found = []
        for one in listed if isinstance(listed, list) else ():
            table = self._table(one)
            name, place = str(table.get("name", "")), str(table.get("in", ""))
            found.append(Parameter(name, place, table.get("required") is True, table.get("schema", True)))
        return found

    def _schema(self, holder: Mapping[str, Any]) -> Any:
        media = self._table(holder.get("content")).get(JSON, MISSING)
        return MISSING if media is MISSING else self._table(media).get("schema", True)

    def faults(self, schema: Any, value: Any) -> list[str]:
        """Why a value is not what the schema asks for, the first few."""
        found = []
        for one in faults(schema, value, self.resolve):
            found.append(one)
            if len(found) == 4:
                break
        return found

    def may_have(self, schema: Any, tokens: tuple[str, ...], depth: int = 0) -> bool:
        """False where the schema lists what there is and this is not of it; True too where it cannot be told."""
        try:
            plain = self._plain(schema)
        except ValueError:
            return True
        if not tokens or not isinstance(plain, Mapping) or depth > REFERENCES_MAX:
            return True
        many = [
            one for word in ("allOf", "anyOf", "oneOf") for one in plain.get(word, ()) if isinstance(plain[word], list)
        ]
        if many and any(self.may_have(one, tokens, depth + 1) for one in many):
            return True
        if isinstance(plain.get("properties"), Mapping):
            inner = plain["properties"].get(tokens[0], MISSING)
            return inner is not MISSING and self.may_have(inner, tokens[1:], depth + 1)
        if "items" in plain and tokens[0].isdecimal():
            return self.may_have(plain["items"], tokens[1:], depth + 1)
        return not many
