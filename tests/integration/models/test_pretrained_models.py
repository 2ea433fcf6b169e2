"""Models trained elsewhere, each served from a few lines of TOML: one deploy of several projects into one sandbox."""

import json
import os
import shutil
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import joblib
import numpy as np
import pytest
import urllib3
from onnx import TensorProto, helper, numpy_helper, save
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from config.loading import load
from sandbox import launch
from sandbox.runtime import Runtime
from serving.artifact import read_artifact
from stacks.stage import add_stacks
from tests.feature_flags import UNVALIDATED

pytestmark = pytest.mark.verify  # minutes, because it deploys many times

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("SAGESCALE_SHARED", ROOT.parent / "shared"))
ARTIFACT = SHARED / "linear_learner" / "model.tar.gz"
ROWS = np.random.default_rng(7).normal(size=(200, 4))
LABELS = (ROWS.sum(axis=1) > 0).astype(int)
SERVED = {  # project: path and framework, and with AWS's containers the version
    "sklearn": ["pipeline.joblib", "scikit-learn", "1.9-0"],
    "booster": ["booster.json", "xgboost", "3.2-0"],
    "graph": ["graph.onnx", "onnx"],
    "linear": ["model.tar.gz", "linear-learner"],
    "archive": ["s3://elsewhere/booster/model.tar.gz", "xgboost", "3.2-0"],
}
SPLIT = """
project.name = "split"
[model]
path = "pipeline.joblib"
framework = "scikit-learn"
version = "1.9-0"
[[endpoint.variants]]
name = "a"
initial_weight = 7
[[endpoint.variants]]
name = "b"
initial_weight = 3
initial_instance_count = 2
scaling = {min_capacity = 2, max_capacity = 3}
model = {path = "booster.json", framework = "xgboost", version = "3.2-0"}
"""
SHADOWED = """
project.name = "shadow"
[model]
path = "graph.onnx"
framework = "onnx"
[[endpoint.variants]]
name = "live"
[[endpoint.variants]]
name = "next"
shadow = true
"""


def save_graph(path: Path, weights: Any) -> None:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 4])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 1])
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "linear", [given], [made], [numpy_helper.from_array(weights, "w")])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def toml(project: str) -> str:
    """Return a settings file of at most six lines."""
    model = zip(("path", "framework", "version"), SERVED[project], strict=False)
    return "\n".join(["[project]", f'name = "{project}"', "[model]", *(f'{key} = "{value}"' for key, value in model)])


class Deployed:
    """Every project of this module, deployed at once."""

    def __init__(self, runtime: Runtime, folder: Path, pipeline: Any, booster: Any) -> None:
        self.runtime, self.folder, self.pipeline, self.booster = runtime, folder, pipeline, booster

    def endpoint(self, project: str) -> str:
        name = f"/{project}/sandbox/endpoint/name"
        return str(self.runtime.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])

    def invoke(self, project: str, rows: Any, accept: str = "application/json") -> Any:
        body = "\n".join(",".join(map(repr, row)) for row in rows.tolist())
        answer = self.runtime.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=self.endpoint(project), Body=body, ContentType="text/csv", Accept=accept
        )
        return json.loads(answer["Body"].read())


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    import xgboost  # takes seconds, and every worker imports every file

    folder = tmp_path_factory.mktemp("pretrained")
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LABELS)
    joblib.dump(pipeline, folder / "pipeline.joblib")
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(ROWS, LABELS), num_boost_round=5)
    booster.save_model(folder / "booster.json")
    save_graph(folder / "graph.onnx", np.array([[1.0], [2.0], [3.0], [4.0]], dtype=np.float32))
    projects = {**{project: toml(project) for project in SERVED}, "split": SPLIT, "shadow": SHADOWED}
    if ARTIFACT.exists():
        shutil.copy(ARTIFACT, folder / "model.tar.gz")
    else:
        del projects["linear"]
    runtime = launch.start(folder / "sandbox", owner_pid=os.getpid())
    launch.bootstrap(runtime)
    upload_archive(runtime, folder)
    done = deploy(runtime, synthesize(folder, folder / "cdk.out", projects))
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    yield Deployed(runtime, folder, pipeline, booster)
    launch.stop(folder / "sandbox")


def upload_archive(runtime: Runtime, folder: Path) -> None:
    """Put the booster's archive where only its own model may read it."""
    with tarfile.open(folder / "booster.tar.gz", "w:gz") as archive:
        archive.add(folder / "booster.json", arcname="booster.json")
    s3 = runtime.client("s3")
    s3.create_bucket(Bucket="elsewhere")
    s3.upload_file(str(folder / "booster.tar.gz"), "elsewhere", "booster/model.tar.gz")


def synthesize(folder: Path, outdir: Path, projects: dict[str, str]) -> Path:
    app = cdk.App(outdir=str(outdir), context=UNVALIDATED)
    for project, text in projects.items():
        (folder / project).mkdir(exist_ok=True)
        (folder / project / "sandbox.toml").write_text(text)
        add_stacks(app, env="sandbox", settings=load("sandbox", folder / project), root=folder)
    return Path(app.synth().directory)


def deploy(runtime: Runtime, assembly: Path) -> subprocess.CompletedProcess[str]:
    cdk_cli = [str(ROOT / "node_modules" / ".bin" / "cdk"), "deploy", "--all", "--app", str(assembly)]
    return subprocess.run(
        [*cdk_cli, "--require-approval", "never", "--concurrency", "6"],
        cwd=assembly.parent,
        env={**launch.cdk_environment(runtime), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("project", sorted(SERVED))
def test_pretrained_models_settings_have_at_most_six_lines(project: str) -> None:
    assert len(toml(project).splitlines()) <= 6


def test_pretrained_scikit_learn_pipeline_answers_as_it_does_in_python(deployed: Deployed) -> None:
    assert deployed.invoke("sklearn", ROWS[:20]) == deployed.pipeline.predict(ROWS[:20]).tolist()


def test_pretrained_xgboost_booster_answers_as_it_does_in_python(deployed: Deployed) -> None:
    import xgboost

    scores = [prediction["score"] for prediction in deployed.invoke("booster", ROWS[:20])["predictions"]]
    assert scores == pytest.approx(deployed.booster.predict(xgboost.DMatrix(ROWS[:20])).tolist(), abs=1e-6)


def test_pretrained_archive_in_s3_answers_as_the_local_file_does(deployed: Deployed) -> None:
    assert deployed.invoke("archive", ROWS[:20]) == deployed.invoke("booster", ROWS[:20])


def test_onnx_file_answers_its_graphs_sums(deployed: Deployed) -> None:
    scores = [prediction["score"] for prediction in deployed.invoke("graph", ROWS[:20])["predictions"]]
    assert scores == pytest.approx((ROWS[:20] @ [1.0, 2.0, 3.0, 4.0]).tolist(), abs=1e-5)


@pytest.mark.skipif(not ARTIFACT.exists(), reason="the real artifact is not part of the repository")
def test_pretrained_linear_learner_artifact_answers_its_scores(deployed: Deployed) -> None:
    model = read_artifact(ARTIFACT)
    rows = np.random.default_rng(1).normal(size=(5, model.n_features))
    predictions = deployed.invoke("linear", rows)["predictions"]
    scores = np.array([prediction["score"] for prediction in predictions])
    assert scores == pytest.approx(np.asarray(model.scores(rows)).reshape(scores.shape), abs=1e-6)


def test_variants_split_5000_calls_by_weight_within_two_points(deployed: Deployed) -> None:
    pool = urllib3.PoolManager()
    url = f"{deployed.runtime.dataplane_url}/endpoints/{deployed.endpoint('split')}/invocations"
    invoked: Counter[str] = Counter()
    for _ in range(5_000):
        answer = pool.request("POST", url, body=b"1,2,3,4", headers={"Content-Type": "text/csv"})
        assert answer.status == 200
        invoked[answer.headers["x-Amzn-Invoked-Production-Variant"]] += 1
    assert invoked["a"] / 5_000 == pytest.approx(0.7, abs=0.02)
    assert invoked["b"] / 5_000 == pytest.approx(0.3, abs=0.02)


def test_variants_have_their_own_count_and_model(deployed: Deployed) -> None:
    described = deployed.runtime.client("sagemaker").describe_endpoint(EndpointName=deployed.endpoint("split"))
    counts = {variant["VariantName"]: variant["CurrentInstanceCount"] for variant in described["ProductionVariants"]}
    assert counts == {"a": 1, "b": 2}
    answers = {
        variant: deployed.runtime.client("sagemaker-runtime")
        .invoke_endpoint(
            EndpointName=described["EndpointName"],
            TargetVariant=variant,
            Body="1,2,3,4",
            ContentType="text/csv",
            Accept="application/json",
        )["Body"]
        .read()
        for variant in counts
    }
    assert json.loads(answers["a"]) == [1]
    assert "predictions" in json.loads(answers["b"])


def test_shadow_variant_gets_copies_and_never_answers(deployed: Deployed) -> None:
    pool = urllib3.PoolManager()
    url = f"{deployed.runtime.dataplane_url}/endpoints/{deployed.endpoint('shadow')}/invocations"
    answers = [pool.request("POST", url, body=b"1,1,1,1", headers={"Content-Type": "text/csv"}) for _ in range(50)]
    assert {answer.headers["x-Amzn-Invoked-Production-Variant"] for answer in answers} == {"live"}
    described = deployed.runtime.client("sagemaker").describe_endpoint(EndpointName=deployed.endpoint("shadow"))
    assert [variant["VariantName"] for variant in described["ShadowProductionVariants"]] == ["next"]
    metrics = pool.request("GET", f"{deployed.runtime.dataplane_url}/_sandbox/metrics?since=0").json()
    assert '"next"' in json.dumps(metrics)


def test_pretrained_model_that_does_not_load_fails_the_deploy_and_the_old_one_answers(deployed: Deployed) -> None:
    (deployed.folder / "broken.joblib").write_bytes(b"no pickle")
    project = {"sklearn": toml("sklearn").replace("pipeline.joblib", "broken.joblib")}
    done = deploy(deployed.runtime, synthesize(deployed.folder, deployed.folder / "broken.out", project))
    assert done.returncode != 0
    assert "the model does not load" in done.stdout + done.stderr
    assert deployed.invoke("sklearn", ROWS[:5]) == deployed.pipeline.predict(ROWS[:5]).tolist()
