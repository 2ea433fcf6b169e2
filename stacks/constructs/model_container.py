"""Which container serves a model: its image, its artifact, its variables, and what pulling and reading them takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk.aws_s3_assets import Asset
from constructs import Construct

from config.model import Model
from config.training import Training
from stacks.constructs.images import LINEAR_LEARNER, Images, PrebuiltImage, prebuilt
from stacks.constructs.job_role import pull_statements, read_statements
from stacks.constructs.model_archive import packed
from stacks.constructs.serving_image import ServingImage
from stacks.constructs.training_images import hosting_image

# How AWS's toolkits find a script (sagemaker-inference-toolkit, environment.py).
SCRIPT_VARIABLES = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
FINDS_ITS_SCRIPT = frozenset({"tensorflow", "onnx", "linear-learner"})  # TensorFlow's container looks for it itself


@dataclass(frozen=True)
class Container:
    """What CreateModel wants to know, and the statements of the role that may do it.

    Parameters
    ----------
    wildcard : str, optional
        ARN among the statements that names objects by pattern.
    """

    image_uri: str
    model_data_url: str
    environment: dict[str, str]
    statements: list[iam.PolicyStatement] = field(default_factory=list)
    wildcard: str | None = None


def trained_container(
    scope: Construct,
    *,
    model: Model,
    training: Training,
    instance_type: str,
    approved: str,
    bucket: s3.IBucket,
    serving: ServingImage | None,
) -> Container:
    """Return the container of the approved model; `serving` is our own, by default AWS's serves it."""
    models = bucket.arn_for_objects("models/*")
    image_uri, pull = _image(scope, hosting_image(training, instance_type), serving)
    script = training.script
    told = {**SCRIPT_VARIABLES, "SAGEMAKER_PROGRAM": Path(script.entry_point).name} if script else {}
    statements = [*pull, *read_statements(bucket, models)]
    return Container(image_uri, approved, {**told, **model.environment}, statements, wildcard=models)


def pretrained_container(
    scope: Construct, *, model: Model, instance_type: str, root: Path, serving: ServingImage | None
) -> Container:
    """Return the container of a model that was brought along.

    Raises
    ------
    ValueError
        AWS has no image of its version, or its archive misses what its container needs.
    """
    if model.framework == "linear-learner":
        image = LINEAR_LEARNER
    elif model.framework == "onnx":
        image = None
    else:
        assert model.framework is not None, "settings let a pre-trained model pass that names no framework"
        assert model.version is not None, "settings let a pre-trained model pass that names no version"
        image = prebuilt(model.framework, model.version, instance_type)
    image_uri, pull = _image(scope, image, serving)
    location = str(model.path)
    if location.startswith("s3://"):
        name, _, key = location.removeprefix("s3://").partition("/")
        bucket, url = s3.Bucket.from_bucket_name(scope, "Archive", name), location
    else:
        with packed(model, root) as archive:
            asset = Asset(scope, "Archive", path=str(archive))
        bucket, key, url = asset.bucket, asset.s3_object_key, asset.s3_object_url
    return Container(
        image_uri, url, _environment(model), [*pull, *read_statements(bucket, bucket.arn_for_objects(key))]
    )


def _image(
    scope: Construct, image: PrebuiltImage | None, serving: ServingImage | None
) -> tuple[str, list[iam.PolicyStatement]]:
    if serving:
        return serving.uri, list(pull_statements([serving.repository_arn]))
    assert image, "the stack brings our own image where AWS has none"
    images = Images(scope, "Images")
    return images.uri(image), list(pull_statements([images.repository_arn(image)]))


def _environment(model: Model) -> dict[str, str]:
    # scikit-learn's container always needs a script, and without one XGBoost's must not be told of any
    has_script = bool(model.inference_script) or model.framework == "scikit-learn"
    told = SCRIPT_VARIABLES if has_script and model.framework not in FINDS_ITS_SCRIPT else {}
    return {**told, **model.environment}
