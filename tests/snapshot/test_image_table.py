import json

import pytest

from tests.image_table import IMAGES, TABLE, regions, retrieve


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_table_names_the_sdks_image_in_every_region_the_sdk_knows(name: str) -> None:
    row = json.loads(TABLE.read_text())[name]
    assert sorted(row["accounts"]) == regions(name)
    for region, account in row["accounts"].items():
        registry, _, image = retrieve(name, region).partition("/")
        assert row["image"] == image
        assert registry.startswith(f"{account}.dkr.ecr.{region}.")
