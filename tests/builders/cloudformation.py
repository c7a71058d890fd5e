"""Reads CloudFormation templates."""

from pathlib import Path
from typing import Any, cast

import yaml


class _Loader(yaml.CSafeLoader):
    """Reads CloudFormation's short tags as their long forms."""


def _long_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            value: Any = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case _:
            value = loader.construct_mapping(cast("yaml.MappingNode", node), deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)


def read_template(path: Path) -> dict[str, Any]:
    """Return a template with its short tags in their long forms."""
    template: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader with more tags
    return template
