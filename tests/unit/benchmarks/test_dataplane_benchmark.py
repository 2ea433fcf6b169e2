from benchmarks.dataplane import rest_api
from sandbox.dataplane.rest_apis import check_snapshot


def test_measured_rest_api_is_one_that_a_data_plane_serves() -> None:
    check_snapshot("bench", rest_api())
