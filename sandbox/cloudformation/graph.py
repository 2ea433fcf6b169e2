"""Who depends on whom in a template, and work done in that order, independent resources side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sandbox.cloudformation.errors import ValidationError
from sandbox.cloudformation.intrinsics import SUBSTITUTION
from sandbox.cloudformation.template import Declaration, Template

WORKERS = 8
Graph = dict[str, set[str]]


def references(value: Any) -> Iterator[tuple[str, str | None]]:
    """Yield ``(name, attribute)`` of every Ref, GetAtt and Sub in `value`; the attribute of a Ref is None."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref" and isinstance(item, str):
                yield item, None
            elif key == "Fn::GetAtt":
                parts = item.split(".", 1) if isinstance(item, str) else item
                yield parts[0], parts[1] if isinstance(parts[1], str) else None
            elif key == "Fn::Sub":
                yield from _substitutions(item)
            else:
                yield from references(item)


def _substitutions(argument: Any) -> Iterator[tuple[str, str | None]]:
    text, variables = (argument, {}) if isinstance(argument, str) else argument
    yield from references(list(variables.values()))
    for literal, name in SUBSTITUTION.findall(text):
        if not literal and name not in variables:
            resource, _, attribute = name.partition(".")
            yield resource, attribute or None


def dependency_graph(template: Template) -> Graph:
    """Return the resources each resource waits for.

    Raises
    ------
    ValidationError
        A name that is no resource, parameter or pseudo parameter; or a circle of resources.
    """
    names = template.resources.keys()
    graph = {name: set(_dependencies(declaration)) & names for name, declaration in template.resources.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = ", ".join(sorted(set(error.args[1])))
        raise ValidationError(f"Circular dependency between resources: [{circle}]") from error
    return graph


def _dependencies(declaration: Declaration) -> Iterator[str]:
    yield from declaration.depends_on
    yield from (name for name, _ in references(declaration.properties))


def unresolved_names(template: Template) -> set[str]:
    """Return the names that the template refers to and nothing defines."""
    known = template.resources.keys() | template.section("Parameters").keys()
    used = {name for declaration in template.resources.values() for name in _dependencies(declaration)}
    used |= {name for name, _ in references(list(template.section("Outputs").values()))}
    used |= {name for name, _ in references(list(template.section("Conditions").values()))}
    return {name for name in used - known if not name.startswith("AWS::")}


def in_order(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the graph's nodes, dependencies first; the same graph always gives the same order."""
    return list(TopologicalSorter({name: sorted(graph[name]) for name in sorted(graph)}).static_order())


def reverse(graph: Mapping[str, set[str]]) -> Graph:
    """Return the graph with every edge turned round: deletion goes from dependants to dependencies."""
    turned: Graph = {name: set() for name in graph}
    for name, dependencies in graph.items():
        for dependency in dependencies:
            turned[dependency].add(name)
    return turned


def run_in_order(graph: Mapping[str, set[str]], work: Callable[[str], bool], *, stop_on_failure: bool) -> set[str]:
    """Call `work` for every node once its dependencies are done, independent nodes in parallel.

    Parameters
    ----------
    graph : Mapping of set of str
        Node to the nodes it waits for.
    work : Callable
        Returns whether the node succeeded; must not raise.
    stop_on_failure : bool
        Start nothing new after a failure. Otherwise go on with all nodes that do not depend on a failed one.

    Returns
    -------
    set of str
        The nodes that failed. Nodes that were never started are not among them.
    """
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    failed: set[str] = set()
    running: dict[Future[bool], str] = {}
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="resource") as pool:
        while sorter.is_active():
            if not (failed and stop_on_failure):
                running |= {pool.submit(work, name): name for name in sorter.get_ready()}
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                if future.result():
                    sorter.done(name)
                else:
                    failed.add(name)
    return failed
