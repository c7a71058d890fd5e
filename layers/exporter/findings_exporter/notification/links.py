"""Links that work tomorrow: into the AWS console, which asks to sign in. Presigned ones die with the run's credentials."""

from urllib.parse import quote

from findings_exporter.model.config import Config
from findings_exporter.model.run import Run

CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def execution_url(run: Run, config: Config) -> str:
    """Return the link to the execution in the Step Functions console."""
    return f"{_console(config)}/states/home?region={config.region}#/v2/executions/details/{quote(run.execution.arn, safe=':')}"


def report_url(run: Run, config: Config) -> str | None:
    """Return the link to the report in the S3 console."""
    if run.delivery is None or run.delivery.key is None:
        return None
    return object_url(run.delivery.bucket, run.delivery.key, config)


def object_url(bucket: str, key: str, config: Config) -> str:
    """Return the link to an object in the S3 console, or to the objects of a folder: a key that ends with a slash."""
    of = "buckets" if key.endswith("/") else "object"
    return f"{_console(config)}/s3/{of}/{bucket}?region={config.region}&prefix={quote(key, safe='/=')}"


def _console(config: Config) -> str:
    return f"https://{config.region}.{CONSOLES.get(config.partition, CONSOLES['aws'])}"
