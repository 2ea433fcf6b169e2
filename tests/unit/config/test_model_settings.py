from typing import Any

import pytest

from config.settings import Settings

PROJECT = {"project": {"name": "spam"}}
PRETRAINED = {"path": "m.joblib", "framework": "scikit-learn", "version": "1.9-0"}


def load(**groups: Any) -> Settings:
    return Settings.model_validate({**PROJECT, **groups})


def test_pretrained_model_follows_from_its_path_and_needs_no_dataset() -> None:
    settings = load(model=PRETRAINED)
    assert (settings.model.source, settings.dataset, settings.trains) == ("pretrained", None, False)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"source": "pretrained"}, "needs a path"),
        ({"framework": "onnx"}, "describes a pre-trained model: add its path"),
        ({"path": "m"}, "needs its framework"),
        ({"path": "m", "framework": "xgboost"}, "needs the version of xgboost"),
        ({"path": "m", "framework": "onnx", "version": "1"}, "version has no meaning for onnx"),
        ({"path": "http://x/m.tar.gz", "framework": "onnx"}, "neither local nor s3://"),
        ({"path": "s3://b/m.joblib", "framework": "onnx"}, "neither local nor s3://"),
        ({**PRETRAINED, "path": "s3://b/m.tar.gz", "inference_script": "i.py"}, "stays as it is"),
        ({"path": "d", "framework": "huggingface", "version": "4.49.0"}, "HF_TASK"),
    ],
)
def test_model_that_says_too_little_or_too_much_is_refused(model: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        load(model=model)


def test_settings_without_dataset_or_path_say_what_is_missing() -> None:
    with pytest.raises(ValueError, match="dataset is missing: name the records to train on"):
        load()


def test_training_of_a_pretrained_model_is_refused() -> None:
    with pytest.raises(ValueError, match="training has no meaning for a pre-trained model"):
        load(model=PRETRAINED, training={"instance_type": "ml.c5.xlarge"})


def test_fast_container_of_a_framework_it_cannot_serve_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot serve scikit-learn"):
        load(model=PRETRAINED, endpoint={"container": "fast"})


def variants(*changes: dict[str, Any]) -> dict[str, Any]:
    return {"variants": [{"name": f"v{number}", **change} for number, change in enumerate(changes)]}


def test_shadow_variant_beside_two_others_is_refused() -> None:
    with pytest.raises(ValueError, match="1 shadow variants beside 2 others"):
        load(model=PRETRAINED, endpoint=variants({}, {}, {"shadow": True}))


def test_weight_of_a_shadow_variant_does_not_count_as_traffic() -> None:
    with pytest.raises(ValueError, match="none would get a request"):
        load(model=PRETRAINED, endpoint=variants({"initial_weight": 0}, {"shadow": True}))


def test_variant_may_serve_a_model_of_its_own_but_not_all_of_them() -> None:
    other = {**PRETRAINED, "path": "b.joblib"}
    settings = load(model=PRETRAINED, endpoint=variants({}, {"model": other}))
    assert [settings.model_of(variant).path for variant in settings.endpoint.variants] == ["m.joblib", "b.joblib"]
    with pytest.raises(ValueError, match=r"no variant serves \[model\]"):
        load(model=PRETRAINED, endpoint=variants({"model": other}))
