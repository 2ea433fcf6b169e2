"""Who may import whom: the table of docs/architecture.md, enforced."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"autoscaling", "benchmarks", "cli", "config", "costs", "loadtest", "sandbox", "serving", "stacks", "training"}
ALLOWED = {  # tree: (our trees, third party); None: anything
    "autoscaling": (set(), {"pydantic", "numpy"}),
    "config": ({"autoscaling"}, {"pydantic"}),
    "costs": ({"autoscaling"}, set()),
    "stacks": ({"config", "autoscaling", "training"}, {"aws_cdk", "constructs", "jsii", "packaging"}),
    "training": ({"serving"}, {"numpy", "pyarrow", "xgboost"}),
    "serving": (set(), {"uvloop", "httptools", "orjson", "numpy", "onnxruntime", "simdjson"}),
    "lambda": ({"training"}, {"boto3", "botocore", "aws_lambda_powertools", "fastjsonschema", "cloudformation_answer"}),
    "sandbox": ({"config", "autoscaling", "serving"}, None),
    "loadtest": ({"autoscaling"}, None),
    "cli": (OURS - {"stacks"}, None),
}
PURE = {"autoscaling": {"time", "random", "socket", "subprocess", "os", "pathlib"}}  # no clock, no randomness, no files
ONLY = {  # narrower than the tree: what one file's neighbours may not take
    "training": {"serving.artifact"},  # the artifact's format has one home
    "stacks": {"training.schema", "training"},
    "lambda": {"training.schema", "training.answers", "training"},
    "sandbox": {"serving.http_server", "serving.http_head", "serving.http_answer", "serving.chunked_body"},  # HTTP
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            assert node.module
            for alias in node.names:
                is_module = (ROOT / node.module.replace(".", "/") / f"{alias.name}.py").exists()
                yield f"{node.module}.{alias.name}" if is_module else node.module


@pytest.mark.parametrize("tree", sorted(tree for tree in ALLOWED if (ROOT / tree).is_dir()))
def test_tree_imports_only_what_its_row_allows(tree: str) -> None:
    ours, third_party = ALLOWED[tree]
    refused = []
    for path in sorted((ROOT / tree).rglob("*.py")):
        for name in imports(path):
            top = name.partition(".")[0]
            if top == tree:
                continue
            if top in OURS:
                allowed = top in ours and (top not in {"serving", "training"} or name in ONLY.get(tree, {name}))
            elif top in sys.stdlib_module_names:
                allowed = top not in PURE.get(tree, set())
            else:
                allowed = third_party is None or top in third_party
            if not allowed:
                refused.append(f"{path.relative_to(ROOT)} imports {name}")
    assert refused == []


def test_composition_root_is_the_only_reader_of_context_and_environment() -> None:
    readers = ("try_get_context", "os.environ", "os.getenv")
    found = [
        path.relative_to(ROOT).as_posix()
        for tree in ("stacks", "config")
        for path in (ROOT / tree).rglob("*.py")
        if any(reader in path.read_text(encoding="utf-8") for reader in readers)
    ]
    assert found == []


def test_mypy_reads_every_module_of_the_cdk_that_is_imported() -> None:
    overrides = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]["overrides"]
    (read,) = (set(each["module"]) for each in overrides if each.get("follow_imports") == "normal")
    named = {
        f"{node.module}.{alias.name}" if node.module == "aws_cdk" else node.module
        for tree in ("stacks", "tests")
        for path in (ROOT / tree).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "aws_cdk"
        for alias in node.names
    }
    modules = {name for name in named if name and not name.rpartition(".")[2][0].isupper()}
    assert modules == read - {"aws_cdk", "aws_cdk._jsii"}
