"""Where settings come from: TOML and environment become nested dicts, and a wrong one is explained by its place."""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin

import msgspec
from msgspec import Struct

from dispatch.operator_errors import ConfigError

PREFIX = "QIANGDAN_"
NOT_SETTINGS = ("QIANGDAN_CONFIG", "QIANGDAN_SETTINGS", "QIANGDAN_CREW_TOKEN")
TEST_PREFIX = "QIANGDAN_TEST_"
_LISTS = frozenset({"ring_s", "hour_factors"})
"""Settings that stand in a variable as numbers with commas between."""


class Layer(NamedTuple):
    """Settings from one source; `source` is how an error names it."""

    source: str
    values: dict[str, Any]


def read_toml(file: Path, settings: type[Struct]) -> Layer:
    """Return the settings of a TOML file; raises `ConfigError` for an unreadable file or an unknown key."""
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The configuration file {file} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration file {file} is not TOML: {error}.") from None
    _refuse_unknown(values, settings, file, prefix="")
    return Layer(str(file), values)


def read_environment(environ: Mapping[str, str], settings: type[Struct]) -> Layer:
    """Return the settings in `QIANGDAN_*` variables; raises `ConfigError` for a variable that nothing reads."""
    known = environment_names(settings)
    values: dict[str, Any] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name.startswith(TEST_PREFIX) or name in NOT_SETTINGS:
            continue
        if name not in known:
            raise ConfigError(_unknown(f"The environment variable {name}", name, [*known, *NOT_SETTINGS[:1]]))
        if environ[name] == "":
            continue
        path = known[name]
        text: Any = environ[name]
        if path[-1] in _LISTS and "," in text:
            text = [part.strip() for part in text.split(",")]
        merge_into(values, _nest(path, text))
    return Layer("the environment", values)


def environment_names(settings: type[Struct]) -> dict[str, tuple[str, ...]]:
    """Return every variable that sets something, with the path of the setting: QIANGDAN_CLOCKS_ARRIVAL_S, ..."""
    names: dict[str, tuple[str, ...]] = {}
    for part in msgspec.structs.fields(settings):
        if not _is_table(part.type):
            names[PREFIX + part.name.upper()] = (part.name,)
            continue
        for inner in msgspec.structs.fields(part.type):
            if get_origin(inner.type) is not dict:
                names[f"{PREFIX}{part.name}_{inner.name}".upper()] = (part.name, inner.name)
    return names


def merge_into(target: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Lay nested `values` over `target`; tables are merged, anything else is replaced."""
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            merge_into(target[key], value)
        else:
            target[key] = dict(value) if isinstance(value, dict) else value


def explain(error: msgspec.ValidationError, layers: Sequence[Layer]) -> str:
    """Return the sentence for a value of the wrong type or range: which setting, where it stood, what it must be."""
    text, _, place = str(error).partition(" - at ")
    path = re.findall(r"[^.$\[\]`]+", place.removeprefix("`key` in "))
    problem = _in_plain_words(text)
    named = path or problem.split(" ")[0].split(".")
    source = next((layer.source for layer in reversed(layers) if _holds(layer.values, named)), None)
    subject = f"The setting {'.'.join(path)}" if path else "A setting"
    where = f" (from {source})" if source else ""
    return f"{subject}{where} is not right: {problem}."


def _in_plain_words(text: str) -> str:
    text = text.replace("`", "").replace("Expected ", "it must be ").replace(", got ", ", not ")
    text = re.sub(r"\b(it must be) (float|int)\b", r"\1 a number", text)
    text = re.sub(r"\b(it must be) str of length", r"\1 text of length", text)
    text = re.sub(r"\bInvalid enum value '?([^']*)'?", r"there is no choice '\1'", text)
    return text.replace(" | null", "").rstrip(".")


def _holds(values: Any, path: Sequence[str]) -> bool:
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return not isinstance(values, dict)
        values = values[key]
    return bool(path)


def _refuse_unknown(values: Mapping[str, Any], table: type[Struct], file: Path, *, prefix: str) -> None:
    fields = {part.name: part.type for part in msgspec.structs.fields(table)}
    for key, value in values.items():
        if key not in fields:
            raise ConfigError(_unknown(f"The key {prefix}{key} in {file}", key, fields))
        if not isinstance(value, dict):
            continue
        if _is_table(fields[key]):
            _refuse_unknown(value, fields[key], file, prefix=f"{prefix}{key}.")
        if get_origin(fields[key]) is dict:
            for name, inner in value.items():
                if isinstance(inner, dict):
                    _refuse_unknown(inner, get_args(fields[key])[1], file, prefix=f"{prefix}{key}.{name}.")


def _unknown(subject: str, name: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"{subject} is not known{f'; did you mean {near[0]}?' if near else '.'}"


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _nest(path: Sequence[str], value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    return dict(value)
