"""The deployment, read once; whatever is missing is named."""

import pytest

from findings_exporter.model.config import Config
from findings_exporter.model.errors import ConfigurationError
from tests.builders.exporter import ACCOUNT, REGION, VARIABLES, config


def test_a_deployment_is_read_from_the_environment() -> None:
    read = Config.from_env()
    assert read == config()
    assert (read.table_name, read.bucket, read.bucket_owner) == ("findings-Table", "findings-bucket", ACCOUNT)
    assert (read.defaults.report_name, read.defaults.deadline_hours) == ("nightly", "6")
    assert (read.partition, read.region, read.account) == ("aws", REGION, ACCOUNT)


def test_all_missing_variables_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Config.from_env({"TABLE_NAME": ""})
    assert all(name in str(caught.value) for name in VARIABLES)
    assert "Deploy the stack again" in str(caught.value)


@pytest.mark.parametrize("name", VARIABLES)
def test_each_variable_is_needed_and_what_is_there_is_not_blamed(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config(**{name: ""})
    assert [each for each in VARIABLES if f" {each}." in str(caught.value)] == [name]


@pytest.mark.parametrize("written", ["a/b", "/a/b", "a/b/", "//a/b//"])
def test_a_key_prefix_has_no_slashes_at_its_ends(written: str) -> None:
    assert config(KEY_PREFIX=written).key_prefix == "a/b"


def test_a_deployment_knows_its_partition_region_and_account() -> None:
    there = config(STATE_MACHINE_ARN="arn:aws-cn:states:cn-north-1:999999999999:stateMachine:x")
    assert (there.partition, there.region, there.account) == ("aws-cn", "cn-north-1", "999999999999")
