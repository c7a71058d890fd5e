"""The filters whose values Inspector's model enumerates: a new botocore may add values; this fails when it removes one."""

from findings_exporter.model.filter_criteria import known_filters, known_values

ENUMERATED = {
    "cloudProvider",
    "codeRepositoryProviderType",
    "exploitAvailable",
    "findingStatus",
    "findingType",
    "fixAvailable",
    "lambdaFunctionRuntime",
    "networkProtocol",
    "resourceType",
    "severity",
}


def test_the_members_with_a_derived_enumeration_are_these() -> None:
    assert set(known_values()) == ENUMERATED
    assert set(known_filters()) >= ENUMERATED


def test_what_findings_hold_as_free_text_has_none() -> None:
    # Shapes of these names enumerate something else: the sources that can be searched, the platforms of a scan's coverage.
    assert not {"vulnerabilitySource", "machineImagePlatform"} & set(known_values())


def test_their_values_are_those_of_findings() -> None:
    values = known_values()
    assert values["cloudProvider"] == ["AWS", "AZURE", "GCP"]
    assert values["networkProtocol"] == ["TCP", "UDP"]
    assert {"AWS_EC2_INSTANCE", "CODE_REPOSITORY", "Microsoft.Compute/virtualMachines"} <= set(values["resourceType"])
    assert "PYTHON_3_13" in values["lambdaFunctionRuntime"]
    assert set(values["severity"]) == {"CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNTRIAGED"}
