import json

import pytest

from tests.image_table import FRAMEWORKS, TABLE, processors, regions, retrieve, versions


@pytest.mark.parametrize("name", sorted(FRAMEWORKS))
def test_table_names_the_sdks_images_and_their_account_in_every_region_the_sdk_knows(name: str) -> None:
    row = json.loads(TABLE.read_text())[name]
    assert list(row["images"]) == versions(name)
    assert sorted(row["accounts"]) == regions(name)
    for version, images in row["images"].items():
        assert sorted(images) == processors(name, version)
        for processor, image in images.items():
            assert retrieve(name, version, processor, "eu-west-1").partition("/")[2] == image
    newest = versions(name)[-1]
    for region, account in row["accounts"].items():
        uri = retrieve(name, newest, processors(name, newest)[0], region)
        assert uri.startswith(f"{account}.dkr.ecr.{region}.")
