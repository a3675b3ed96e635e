"""template.yaml as SAM transforms it. SAM answers here as it does in AWS, so these are the resources that are made, not the
shorthand for them.
"""
import os
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ["ApiFunction", "DrainFunction", "WokenDrainFunction", "CronFunction"]
SECRETS = [
    "DATABASE_URL", "DRAIN_WAKE_TOKEN", "DROP_EVENTS_SECRET", "JWT_SECRET", "JWT_SECRET_PREVIOUS",
    "OTEL_EXPORTER_OTLP_HEADERS", "QSTASH_TOKEN",
    "QUEUE_HTTP_SECRET", "REDIS_URL", "UPSTASH_REDIS_REST_TOKEN",
]


class NoPolicies:
    """The template names no managed policy."""

    def load(self):
        return {}


def read():
    return yaml_parse((ROOT / "template.yaml").read_text())


def resources(**parameters):
    template = read()
    for function in FUNCTIONS:
        # `sam package` puts a place in S3 there.
        template["Resources"][function]["Properties"]["CodeUri"] = "s3://bucket/key"
    given = {name: parameter.get("Default", "") for name, parameter in template["Parameters"].items()}
    return transform(template, {**given, **parameters}, NoPolicies())["Resources"]
