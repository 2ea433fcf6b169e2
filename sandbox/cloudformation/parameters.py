"""Template parameters: which value each gets, whether it is allowed, and what SSM parameters hold right now.

A parameter of type ``AWS::SSM::Parameter::Value<...>`` is resolved anew at every operation, also under
UsePreviousValue, which then repeats the *name* (the user guide's "Parameters", SSM parameter types).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.cloudformation.errors import ValidationError
from sandbox.cloudformation.template import Template

SSM_VALUE = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
LIST_TYPES = ("CommaDelimitedList", "List<")


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a stack.

    Parameters
    ----------
    given : str
        What the caller gave or the template defaults to; for an SSM type the SSM parameter's name.
    value : str or list of str
        What ``Ref`` gives.
    no_echo : bool
        Shown as ``****``.
    from_ssm : bool
        The value was looked up; DescribeStacks shows it as ResolvedValue.
    """

    given: str
    value: str | list[str]
    no_echo: bool
    from_ssm: bool


def resolve_parameters(
    template: Template,
    given: Sequence[Mapping[str, Any]],
    previous: Mapping[str, Parameter],
    read_parameter: Callable[[str], str],
) -> dict[str, Parameter]:
    """Return every parameter of `template` with its value.

    Parameters
    ----------
    template : Template
        Declares the parameters.
    given : Sequence of Mapping
        The request's Parameters.
    previous : Mapping of Parameter
        The stack's parameters so far, for UsePreviousValue.
    read_parameter : Callable
        SSM parameter name to value; raises LookupError.

    Raises
    ------
    ValidationError
        Missing, unknown or forbidden values, all in one message.
    """
    declared = template.section("Parameters")
    problems: list[str] = []
    if unknown := sorted({entry["ParameterKey"] for entry in given} - declared.keys()):
        problems.append(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    values = {name: _given_value(name, declared[name], given, previous) for name in declared}
    if missing := sorted(name for name, value in values.items() if value is None):
        problems.append(f"Parameters: [{', '.join(missing)}] must have values")
    parameters = {}
    for name, value in values.items():
        if value is None:
            continue
        problems += _violations(name, declared[name], value)
        try:
            parameters[name] = _resolve(declared[name], value, read_parameter)
        except LookupError as error:
            problems.append(str(error.args[0]))
    if problems:
        raise ValidationError("; ".join(problems))
    return parameters


def _given_value(
    name: str, declaration: Mapping[str, Any], given: Sequence[Mapping[str, Any]], previous: Mapping[str, Parameter]
) -> str | None:
    for entry in given:
        if entry["ParameterKey"] == name:
            if entry.get("UsePreviousValue"):
                return previous[name].given if name in previous else None
            value = entry.get("ParameterValue")
            return None if value is None else str(value)
    default = declaration.get("Default")
    return None if default is None else str(default)


def _resolve(declaration: Mapping[str, Any], value: str, read_parameter: Callable[[str], str]) -> Parameter:
    type_name = declaration["Type"]
    from_ssm = SSM_VALUE.fullmatch(type_name)
    text = read_parameter(value) if from_ssm else value
    inner_type = from_ssm.group(1) if from_ssm else type_name
    is_list = inner_type.startswith(LIST_TYPES)
    return Parameter(
        given=value,
        value=[item.strip() for item in text.split(",")] if is_list else text,
        no_echo=str(declaration.get("NoEcho", "false")).lower() == "true",
        from_ssm=bool(from_ssm),
    )


def _violations(name: str, declaration: Mapping[str, Any], value: str) -> Iterator[str]:
    hint = f": {declaration['ConstraintDescription']}" if "ConstraintDescription" in declaration else ""
    allowed = declaration.get("AllowedValues")
    if allowed is not None and value not in map(str, allowed):
        yield f"Parameter '{name}' must be one of AllowedValues{hint or ' ' + str(allowed)}"
    pattern = declaration.get("AllowedPattern")
    if pattern is not None and not re.fullmatch(pattern, value):
        yield f"Parameter '{name}' must match pattern {pattern}{hint}"
    if declaration["Type"] == "Number" and not re.fullmatch(r"-?\d+(\.\d+)?", value):
        yield f"Parameter '{name}' must be a number, got {value!r}"
        return
    measure = float(value) if declaration["Type"] == "Number" else float(len(value))
    unit = "" if declaration["Type"] == "Number" else " characters"
    for bound, broken in (("Min", float.__lt__), ("Max", float.__gt__)):
        limit = declaration.get(f"{bound}Value" if declaration["Type"] == "Number" else f"{bound}Length")
        if limit is not None and broken(measure, float(limit)):
            yield f"Parameter '{name}' is {measure:g}{unit}, {bound.lower()}imum {limit}{hint}"
