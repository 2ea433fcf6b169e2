from pathlib import Path

import pytest

from config.loading import SettingsError, environments, load
from config.settings import PARTS_OF_A_FILE, Settings, Variant
from training.preprocess import PARTS

SHORTEST = '[project]\nname = "kdd99"\n[dataset]\ntrain = "a.gz"\ntest = "s3://bucket/b.gz"\n'


def write(folder: Path, text: str, env: str = "x") -> Path:
    (folder / f"{env}.toml").write_text(text)
    return folder


def test_shortest_file_gives_the_articles_values(tmp_path: Path) -> None:
    settings = load("x", write(tmp_path, SHORTEST))
    (variant,) = settings.endpoint.variants
    (policy,) = settings.scaling_of(variant).policies
    assert (settings.training.instance_type, variant.instance_type) == ("ml.c4.xlarge", "ml.m4.xlarge")
    assert settings.training.hyperparameters == {"predictor_type": "binary_classifier", "mini_batch_size": 1000}
    assert (settings.scaling_of(variant).max_capacity, policy.model_dump()["target"]) == (10, 30_000)


def test_every_shipped_environment_loads() -> None:
    assert environments() == ["dev", "prod", "sandbox"]
    assert all(load(env).project.name == "kdd99" for env in environments())


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings = load("x", write(tmp_path, SHORTEST))
    with pytest.raises(ValueError, match="frozen"):
        settings.project.name = "other"  # type: ignore[misc]


def test_all_problems_are_reported_at_once_with_file_and_key(tmp_path: Path) -> None:
    text = """
    [project]
    name = "Kdd 99"
    [dataset]
    train = "ftp://host/file"
    [training]
    colour = "red"
    [[endpoint.variants]]
    instance_type = "m4.xlarge"
    [endpoint.variants.scaling]
    min_capacity = 3
    max_capacity = 2
    """
    with pytest.raises(SettingsError) as caught:
        load("x", write(tmp_path, text))
    message = str(caught.value)
    assert f"{tmp_path / 'x.toml'}: 6 problem(s)" in message
    for key in (
        "project.name",
        "dataset.train",
        "dataset.test: missing",
        "training.colour: unknown key",
        "endpoint.variants[0].instance_type",
        "endpoint.variants[0].scaling",
    ):
        assert key in message


def test_unknown_environment_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="environments with settings: a, b"):
        load("c", write(write(tmp_path, SHORTEST, "a"), SHORTEST, "b"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "project.colour: unknown key; allowed here: account, name, region, retain_data, tags"),
        ("[training.gate]\ncolour = 1\n", "training.gate.colour: unknown key; allowed here: at_least, at_most, mar"),
        (
            "[training.tuning.integer]\na = {colour = 1}\n",
            "integer.a.colour: unknown key; allowed here: max, min, scale",
        ),
        (
            '[[endpoint.variants]]\n[[endpoint.variants.scaling.policies]]\nkind = "scheduled"\ncolour = 1\n',
            "policies[0].scheduled.colour: unknown key; allowed here: end_time, kind, max_capacity, min_capacity, ",
        ),
    ],
)
def test_unknown_key_is_refused_with_what_its_table_may_hold(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load("x", write(tmp_path, f'[project]\nname = "kdd99"\n{"" if text else "colour = 1"}\n{text}'))
    assert problem in str(caught.value)


def test_broken_toml_names_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"x\.toml is not TOML: .*line 1"):
        load("x", write(tmp_path, "name = \nx = 1"))


def test_jobs_longer_than_cloudformation_waits_are_refused_unless_they_run_apart(tmp_path: Path) -> None:
    slow = SHORTEST + "[training]\nmax_runtime_seconds = 7200\n"
    with pytest.raises(SettingsError, match="on_deploy = false"):
        load("x", write(tmp_path, slow))
    assert not load("x", write(tmp_path, slow + "on_deploy = false\n")).training.on_deploy


@pytest.mark.parametrize("bounds", ["", "at_least = 0.9\nat_most = 0.1\n"])
def test_gate_without_exactly_one_bound_is_refused(bounds: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="exactly one of at_least and at_most"):
        load("x", write(tmp_path, f'{SHORTEST}[training.gate]\nmetric = "f1"\n{bounds}'))


def test_variants_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two variants are called main"):
        Settings.model_validate(
            {
                "project": {"name": "kdd99"},
                "dataset": {"train": "a", "test": "b"},
                "endpoint": {"variants": [Variant().model_dump(), Variant().model_dump()]},
            }
        )


def test_more_machines_than_parts_of_the_one_file_are_refused(tmp_path: Path) -> None:
    assert PARTS_OF_A_FILE == PARTS
    load("x", write(tmp_path, SHORTEST + "[training]\ninstance_count = 8\n"))
    with pytest.raises(SettingsError, match=r"instance_count = 9 shares 8 parts, .* one file 'a\.gz'"):
        load("x", write(tmp_path, SHORTEST + "[training]\ninstance_count = 9\n"))
    many = SHORTEST.replace('"a.gz"', '"s3://bucket/days/"')
    load("x", write(tmp_path, many + "[training]\ninstance_count = 9\n"))
