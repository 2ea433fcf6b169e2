"""Models that were trained elsewhere: what the serving stack makes of a few lines of TOML."""

import json
import tarfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from config.settings import Settings
from stacks.stage import add_stacks
from tests.feature_flags import UNVALIDATED
from tests.image_table import retrieve

Templates = dict[str, dict[str, Any]]
Deploy = Callable[[str], Templates]


@pytest.fixture
def deploy(tmp_path: Path) -> Deploy:
    """Synthesize a settings file, in a region that is known at synth; templates by stack."""

    def run(toml: str) -> Templates:
        values = tomllib.loads(toml)
        values["project"] |= {"account": "111122223333", "region": "eu-west-1"}
        app = cdk.App(outdir=str(tmp_path / "cdk.out"), context=UNVALIDATED)
        add_stacks(app, env="test", settings=Settings.model_validate(values), root=tmp_path)
        return {stack.stack_name.rpartition("-")[2]: stack.template for stack in app.synth().stacks}

    return run


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"a stand-in: synth opens no model")


def toml(framework: str, version: str, path: str = "model", environment: str = "") -> str:
    lines = ['project.name = "spam"', "[model]", f'path = "{path}"', f'framework = "{framework}"']
    lines += [f'version = "{version}"'] if version else []
    return "\n".join([*lines, environment])


def containers(templates: Templates) -> list[dict[str, Any]]:
    found = [item["Properties"] for item in resources(templates, "AWS::SageMaker::Model")]
    return [item["PrimaryContainer"] for item in found]


def resources(templates: Templates, kind: str) -> list[dict[str, Any]]:
    return [item for item in templates["serving"]["Resources"].values() if item["Type"] == kind]


def image(container: dict[str, Any]) -> str:
    """Return the image's URI; the parts that CloudFormation fills in are known here."""
    known = {"AWS::Region": "eu-west-1", "AWS::URLSuffix": "amazonaws.com", "AWS::AccountId": "111122223333"}
    given = container["Image"]
    parts = given["Fn::Join"][1] if isinstance(given, dict) else [given]
    return "".join(part if isinstance(part, str) else known[part["Ref"]] for part in parts)


def archived(folder: Path) -> list[str]:
    (archive,) = (folder / "cdk.out").glob("asset.*.tar.gz")
    with tarfile.open(archive) as tar:
        return tar.getnames()


SCRIPT = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


@pytest.mark.parametrize(
    ("framework", "version", "files", "packed", "environment"),
    [
        ("scikit-learn", "1.9-0", ["model.joblib"], ["code/inference.py", "model.joblib"], SCRIPT),
        ("xgboost", "3.2-0", ["model.json"], ["model.json"], {}),
        ("pytorch", "2.6.0", ["model.pth"], ["model.pth"], {}),
        ("tensorflow", "2.19.0", ["saved_model.pb"], ["1/saved_model.pb"], {}),
        (
            "mxnet",
            "1.9.0",
            ["model-0000.params", "model-shapes.json", "model-symbol.json"],
            ["model-0000.params", "model-shapes.json", "model-symbol.json"],
            {},
        ),
        (
            "huggingface",
            "4.49.0",
            ["config.json", "model.safetensors"],
            ["config.json", "model.safetensors"],
            {"HF_TASK": "text-classification"},
        ),
    ],
)
def test_pretrained_model_gets_the_sdks_image_its_variables_and_its_layout(
    framework: str,
    version: str,
    files: list[str],
    packed: list[str],
    environment: dict[str, str],
    deploy: Deploy,
    tmp_path: Path,
) -> None:
    write(tmp_path, *(f"model/{name}" for name in files))
    task = 'environment = {HF_TASK = "text-classification"}' if framework == "huggingface" else ""
    templates = deploy(toml(framework, version, environment=task))
    assert "training" not in templates
    (container,) = containers(templates)
    assert image(container) == retrieve(framework, version, "cpu", "eu-west-1")
    assert container.get("Environment", {}) == environment
    assert archived(tmp_path) == packed


def test_pretrained_model_on_a_gpu_gets_the_image_for_it(deploy: Deploy, tmp_path: Path) -> None:
    write(tmp_path, "model/model.pth")
    variant = '[[endpoint.variants]]\ninstance_type = "ml.g4dn.xlarge"'
    (container,) = containers(deploy(toml("pytorch", "2.6.0") + variant))
    assert image(container) == retrieve("pytorch", "2.6.0", "gpu", "eu-west-1")


def test_onnx_model_is_served_by_the_image_of_our_own_dockerfile(deploy: Deploy, tmp_path: Path) -> None:
    write(tmp_path, "model.onnx")
    (container,) = containers(deploy(toml("onnx", "", "model.onnx")))
    assert "container-assets-111122223333-eu-west-1:" in json.dumps(container["Image"])
    (context,) = (path for path in (tmp_path / "cdk.out").glob("asset.*") if (path / "Dockerfile").exists())
    assert (context / "serving" / "__main__.py").exists()
    assert not (context / "stacks").exists()


def test_version_aws_has_no_image_of_is_refused_with_those_it_has(deploy: Deploy, tmp_path: Path) -> None:
    write(tmp_path, "model/model.joblib")
    with pytest.raises(ValueError, match=r"no scikit-learn image of version '0\.1'; it has .*1\.9-0"):
        deploy(toml("scikit-learn", "0.1"))


def test_archive_in_s3_stays_there_and_may_be_read(deploy: Deploy) -> None:
    templates = deploy(toml("xgboost", "3.2-0", "s3://models/spam/model.tar.gz"))
    (container,) = containers(templates)
    assert container["ModelDataUrl"] == "s3://models/spam/model.tar.gz"
    policies = json.dumps(resources(templates, "AWS::IAM::Policy"))
    assert ":s3:::models/spam/model.tar.gz" in policies


def test_variants_have_their_own_model_type_count_weight_and_scaling(deploy: Deploy, tmp_path: Path) -> None:
    write(tmp_path, "model/model.joblib", "other/model.json")
    templates = deploy(
        toml("scikit-learn", "1.9-0")
        + """
        [[endpoint.variants]]
        name = "a"
        initial_weight = 3
        [[endpoint.variants]]
        name = "b"
        instance_type = "ml.c5.large"
        initial_instance_count = 2
        model = {path = "other", framework = "xgboost", version = "3.2-0"}
        scaling = {min_capacity = 2, max_capacity = 4}
        """
    )
    (config,) = (item["Properties"] for item in resources(templates, "AWS::SageMaker::EndpointConfig"))
    described = {item["VariantName"]: item for item in config["ProductionVariants"]}
    assert (described["a"]["InitialVariantWeight"], described["b"]["InstanceType"]) == (3, "ml.c5.large")
    assert described["a"]["ModelName"] != described["b"]["ModelName"]
    functions = resources(templates, "AWS::Lambda::Function")
    environments = [item["Properties"].get("Environment", {"Variables": {}})["Variables"] for item in functions]
    (bounds,) = (variables["VARIANTS"] for variables in environments if "VARIANTS" in variables)
    assert json.loads(bounds)["b"] == {"initial_instance_count": 2, "max_capacity": 4}
    targets = resources(templates, "AWS::ApplicationAutoScaling::ScalableTarget")
    assert sorted(item["Properties"]["MaxCapacity"] for item in targets) == [4, 10]


def test_shadow_variant_is_no_production_variant(deploy: Deploy, tmp_path: Path) -> None:
    write(tmp_path, "model/model.joblib")
    shadow = '[[endpoint.variants]]\nname = "live"\n[[endpoint.variants]]\nname = "next"\nshadow = true'
    templates = deploy(toml("scikit-learn", "1.9-0") + shadow)
    (config,) = (item["Properties"] for item in resources(templates, "AWS::SageMaker::EndpointConfig"))
    assert [item["VariantName"] for item in config["ProductionVariants"]] == ["live"]
    assert [item["VariantName"] for item in config["ShadowProductionVariants"]] == ["next"]
