"""What OCPP's JSON schemas define, under the names that the Python classes will have.

Whatever a schema says that is not understood here stops the run: nothing is skipped.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schema_names

Schema = Mapping[str, Any]

#: Keywords that say nothing about what is valid. Defaults are not applied: absent stays absent.
SILENT = {"$schema", "$id", "comment", "title", "javaType", "description", "default"}

CUSTOM_DATA = {
    "type": "object",
    "properties": {"vendorId": {"type": "string", "maxLength": 255}},
    "required": ["vendorId"],
}


@dataclass(frozen=True)
class Version:
    """One version of OCPP, and what is known of its schemas beforehand."""

    package: str
    number: str
    rules: str
    actions: int
    names: Mapping[str, str] = field(default_factory=dict)
    sections: Mapping[str, str] = field(default_factory=dict)
    open_objects: bool = False  # whether the schemas allow fields that they do not name


VERSIONS = (
    Version("v16", "1.6", "OCPP_16", 39, schema_names.NAMES_16, schema_names.SECTIONS_16),
    Version("v20", "2.0", "OCPP_20", 67, schema_names.NAMES_20, open_objects=True),
    Version("v201", "2.0.1", "OCPP_201", 64),
    Version("v21", "2.1", "OCPP_21", 91),
)


@dataclass(frozen=True)
class Correction:
    """Values that a schema's enumeration lacks, and why they belong there."""

    fields: tuple[str, ...]
    values: tuple[str, ...]
    reason: str


#: (package, schema) -> what is put right. The other errata are mended in the files at hand.
CORRECTIONS = {
    ("v16", "StopTransaction"): Correction(
        ("transactionData", "sampledValue", "unit"),
        ("Hertz",),
        "MeterValues.json of the same set has it (OCPP 1.6 errata 3.84: frequency is in Hertz); "
        "a charge point that is refused here would lose the transaction's end",
    ),
}


class NotUnderstood(Exception):
    """A schema says something that this generator has no answer to."""


@dataclass(frozen=True)
class Field:
    """A field of a class: its wire name, its annotation, and the decimals its number may have."""

    wire_name: str
    annotation: str
    required: bool
    decimals: int | None

    def __str__(self) -> str:
        name, options = self.wire_name, []
        if not name.isidentifier() or keyword.iskeyword(name):
            name = schema_names.FIELD_NAMES[name]
            options = [f'name="{self.wire_name}"']
        if self.required:
            value = f" = field({options[0]})" if options else ""
            return f"{name}: {self.annotation}{value}"
        value = f"field(default=UNSET, {options[0]})" if options else "UNSET"
        unset = "" if self.annotation == "Any" else " | UnsetType"
        return f"{name}: {self.annotation}{unset} = {value}"


@dataclass
class Package:
    """What one version's schemas define, under the names that the Python classes will have."""

    version: Version
    messages: dict[str, list[Field]] = field(default_factory=dict)
    datatypes: dict[str, list[Field]] = field(default_factory=dict)
    enums: dict[str, list[str]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    users: dict[str, list[str]] = field(default_factory=dict)

    def add(self, message: str, schema: Schema) -> None:
        """Take in the schema of a message."""
        self.messages[message] = _Reader(self, message, schema).fields(schema, message)

    def define(self, kind: str, name: str, content: Any, user: str) -> str:
        """Keep a definition, which must be the same wherever its name is used."""
        known: dict[str, Any] = getattr(self, kind)
        if known.setdefault(name, content) != content:
            raise NotUnderstood(f"{user} and {self.users[name][0]} differ about {name}: rename it")
        if user not in self.users.setdefault(name, []):
            self.users[name].append(user)
        return name

    @property
    def actions(self) -> list[str]:
        """The names of the actions, in alphabetical order."""
        return sorted({name.removesuffix("Response") for name in self.responses} | self.sends)

    @property
    def responses(self) -> set[str]:
        """The names of the responses."""
        return {name for name in self.messages if name.endswith("Response")}

    @property
    def sends(self) -> set[str]:
        """The names of the messages that nobody answers: the SENDs."""
        return {name for name in self.messages if not name.endswith(("Request", "Response"))}


class _Reader:
    """Reads one schema file into a package."""

    def __init__(self, package: Package, message: str, schema: Schema) -> None:
        self.package = package
        self.version = package.version
        self.message = message
        self.definitions: Schema = schema.get("definitions", {})
        # OCPP 1.6 proper is written in draft 4, its security extension in draft 6.
        self.is_core_16 = self.version.package == "v16" and "draft-04" in schema["$schema"]

    def fields(self, node: Schema, owner: str) -> list[Field]:
        """The fields of an object, the required ones first and customData last."""
        self._expect(node, "type", "properties", "required", "additionalProperties", "definitions")
        if node.get("additionalProperties") is not self.version.open_objects:
            raise NotUnderstood(f"{owner}: unusual additionalProperties in {self.message}")
        required = set(node.get("required", ()))
        found = [
            Field(
                wire_name=name,
                annotation=self._annotation(child, owner, name),
                required=name in required,
                decimals=self._decimals(child),
            )
            for name, child in node.get("properties", {}).items()
        ]
        if missing := required - {each.wire_name for each in found}:
            raise NotUnderstood(f"{owner} requires {missing}, which it does not describe")
        return sorted(found, key=lambda each: (not each.required, each.wire_name == "customData"))

    def _annotation(self, node: Schema, owner: str, name: str) -> str:
        match node:
            case {"$ref": reference}:
                self._expect(node, "$ref")
                # Some of 2.0's files leave the first slash out.
                return self._definition(re.sub("^#/?definitions/", "", reference))
            case {"type": "object"}:
                name = self._name(owner, name)
                return self._define("datatypes", name, self.fields(node, name))
            case {"type": "string", "enum": values}:
                self._expect(node, "type", "enum", "additionalProperties")
                return self._define("enums", self._name(owner, name), values)
            case {"type": "string", "format": "date-time"}:
                self._expect(node, "type", "format")
                return self._alias("DateTime", "Annotated[datetime, Meta(tz=True)]")
            case {"type": "string", "format": "uri"} if self._expect(node, "type", "format"):
                return "str"
            case {"type": "string"}:
                self._expect(node, "type", "maxLength")
                return self._string(node.get("maxLength"), name)
            case {"type": "boolean"} if self._expect(node, "type"):
                return "bool"
            case {"type": "integer" | "number" as kind}:
                self._expect(node, "type", "minimum", "maximum", "multipleOf")
                return self._number(kind, node.get("minimum"), node.get("maximum"))
            case {"type": "array", "items": {} as item}:
                self._expect(node, "type", "items", "additionalItems", "minItems", "maxItems")
                self._decimals(item, allowed=False)
                inner = self._annotation(item, owner, name)
                return self._list(inner, node.get("minItems", 0), node.get("maxItems"))
            case _ if self._expect(node):
                return "Any"
        raise NotUnderstood(f"{owner}.{name} in {self.message}: {node}")

    def _definition(self, name: str) -> str:
        node = self.definitions[name]
        if name == "CustomDataType":
            if {key: node[key] for key in node if key not in SILENT} != CUSTOM_DATA:
                raise NotUnderstood(f"CustomDataType in {self.message} is not the usual one")
            return name
        names = self.version.names
        new_name = names.get(f"{self.message}.{name}") or names.get(name, name)
        if not new_name.isidentifier():
            raise NotUnderstood(f"{name} in {self.message} needs a name that Python can write")
        if "enum" in node:
            self._expect(node, "type", "enum", "additionalProperties")
            return self._define("enums", new_name, node["enum"])
        return self._define("datatypes", new_name, self.fields(node, new_name))

    def _string(self, limit: int | None, name: str) -> str:
        if limit is None:
            return "str"
        constrained = f"Annotated[str, Meta(max_length={limit})]"
        if not self.is_core_16:
            return self._alias(f"String{limit}", constrained)
        case_insensitive = self._alias(f"CiString{limit}Type", constrained)
        if name in ("idTag", "parentIdTag"):
            return self._alias("IdToken", case_insensitive)
        return case_insensitive

    def _number(self, kind: str, low: float | None, high: float | None) -> str:
        bounds = {"ge": low, "le": high}
        meta = ", ".join(
            f"{key}={value:.15g}" for key, value in bounds.items() if value is not None
        )
        integer = f"Annotated[int, Meta({meta})]" if meta else "int"
        if kind == "integer":
            return self._alias(f"Int{_span(low, high)}", integer) if meta else integer
        # A JSON number keeps its form: 5 stays 5, and a long integer keeps all its digits.
        return self._alias(
            f"Number{_span(low, high)}", f"{integer} | {integer.replace('int', 'float')}"
        )

    def _list(self, item: str, fewest: int, most: int | None) -> str:
        if not fewest and most is None:
            return f"list[{item}]"
        meta = f"min_length={fewest}" + ("" if most is None else f", max_length={most}")
        name = f"ListOf{fewest}OrMore" if most is None else f"ListOf{fewest}To{most}"
        return f"{self._alias(name, f'Annotated[list[_Item], Meta({meta})]')}[{item}]"

    def _decimals(self, node: Schema, allowed: bool = True) -> int | None:
        step = node.get("multipleOf")
        if step is not None and (step != 0.1 or not allowed):
            raise NotUnderstood(f"multipleOf {step} in {self.message}")
        return None if step is None else 1

    def _name(self, owner: str, name: str) -> str:
        names = self.version.names
        found = names.get(f"{owner}.{name}") or names.get(name)
        if found is None:
            raise NotUnderstood(f"{owner}.{name} in {self.message} needs a name")
        return found

    def _define(self, kind: str, name: str, content: Any) -> str:
        return self.package.define(kind, name, content, self.message)

    def _alias(self, name: str, meaning: str) -> str:
        return self._define("aliases", name, meaning)

    def _expect(self, node: Schema, *keywords: str) -> bool:
        if surplus := set(node) - SILENT - set(keywords):
            raise NotUnderstood(f"{self.message} uses {', '.join(sorted(surplus))} in {node}")
        return True


def _span(low: float | None, high: float | None) -> str:
    """How an alias tells its bounds: ``From0To100``, ``UpTo0``, or nothing."""
    return ("" if low is None else f"From{low:.15g}") + (
        "" if high is None else f"{'To' if low is not None else 'UpTo'}{high:.15g}"
    )


def read(version: Version, folder: Path) -> Package:
    """Everything that the schemas of one version define."""
    package = Package(version)
    for path in sorted(folder.glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8-sig"))
        stem = path.stem.removesuffix("_v1p0")
        if correction := CORRECTIONS.get((version.package, stem)):
            _correct(schema, correction)
        if version.package == "v16" and not stem.endswith("Response"):
            stem += "Request"
        package.add(stem, schema)
    if len(package.actions) != version.actions:
        raise NotUnderstood(f"{folder} has {len(package.actions)} actions, not {version.actions}")
    names = [*package.enums, *package.datatypes, *package.aliases, *package.messages]
    if len(names) != len(set(names)):
        raise NotUnderstood(f"a name in {folder} means two things")
    return package


def _correct(schema: Any, correction: Correction) -> None:
    node = schema
    for name in correction.fields:
        node = node["properties"][name]
        node = node.get("items", node)
    node["enum"] += [value for value in correction.values if value not in node["enum"]]
