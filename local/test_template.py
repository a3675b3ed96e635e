"""What CloudFormation gets to see of template.yaml, once SAM has transformed it.

    .venv/bin/python -m unittest discover --start-directory local

SAM answers here as it does in AWS, so these are the resources that are made, not the shorthand for them.
"""
import json
import os
import tomllib
import unittest
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ["ApiFunction", "DrainFunction", "CronFunction"]
SECRETS = [
    "DATABASE_URL", "DRAIN_WAKE_TOKEN", "JWT_SECRET", "QSTASH_TOKEN", "QUEUE_HTTP_SECRET", "REDIS_URL",
    "UPSTASH_REDIS_REST_TOKEN",
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


def statements(role):
    return [
        statement
        for policy in role["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


class Template(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.template, cls.resources = read(), resources()

    def of_type(self, kind):
        return {name: it["Properties"] for name, it in self.resources.items() if it["Type"] == kind}

    def test_three_functions_on_al2023_built_by_cargo_lambda(self):
        functions = self.of_type("AWS::Lambda::Function")
        self.assertEqual(set(functions), set(FUNCTIONS))
        for name, function in functions.items():
            self.assertEqual((function["Runtime"], function["Handler"]), ("provided.al2023", "bootstrap"))
            self.assertEqual(function["Architectures"], [{"Ref": "Architecture"}])
            self.assertEqual(self.template["Resources"][name]["Metadata"]["BuildMethod"], "rust-cargolambda")
        self.assertEqual(self.template["Parameters"]["Architecture"]["Default"], "arm64")

    def test_the_http_api_is_on_the_default_stage_with_cors_from_a_parameter(self):
        stages = self.of_type("AWS::ApiGatewayV2::Stage").values()
        self.assertEqual([stage["StageName"] for stage in stages], ["$default"])
        # SAM puts a parameter's value in its place.
        api = resources(CorsOrigins="https://a.example,https://b.example")["HttpApi"]["Properties"]
        condition, given, none = api["Body"]["x-amazon-apigateway-cors"]["Fn::If"]
        self.assertEqual(condition, "HasCors")
        self.assertEqual(given["allowOrigins"], {"Fn::Split": [",", "https://a.example,https://b.example"]})
        read = {"authorization", "content-type", "idempotency-key", "if-none-match", "traceparent", "tracestate"}
        self.assertEqual(set(given["allowHeaders"]), read)
        self.assertEqual(none, {"Ref": "AWS::NoValue"})

    def test_a_failed_tick_is_kept_and_tried_by_nobody_again(self):
        queue = {"Fn::GetAtt": ["FailedTicks", "Arn"]}
        schedules = self.of_type("AWS::Scheduler::Schedule")
        self.assertEqual(len(schedules), 2)
        for schedule in schedules.values():
            target = schedule["Target"]
            self.assertEqual(target["RetryPolicy"], {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60})
            self.assertEqual(target["DeadLetterConfig"]["Arn"], queue)
            self.assertEqual(target["RoleArn"], {"Fn::GetAtt": ["ScheduleRole", "Arn"]})
        configs = self.of_type("AWS::Lambda::EventInvokeConfig")
        functions = {config["FunctionName"]["Ref"] for config in configs.values()}
        self.assertEqual(functions, {"DrainFunction", "CronFunction"})
        for config in configs.values():
            self.assertEqual((config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]), (0, 60))
            self.assertEqual(config["DestinationConfig"]["OnFailure"]["Destination"], queue)

    def test_the_drain_ticks_every_minute_and_the_night_has_a_time_zone(self):
        schedules = self.of_type("AWS::Scheduler::Schedule")
        drain, cron = (
            next(schedule for name, schedule in schedules.items() if name.startswith(function))
            for function in ("DrainFunction", "CronFunction")
        )
        rate = {"Fn::FindInMap": ["Ticks", {"Ref": "DrainEveryMinutes"}, "Rate"]}
        self.assertEqual(drain["ScheduleExpression"], rate)
        self.assertEqual(self.template["Mappings"]["Ticks"]["1"]["Rate"], "rate(1 minute)")
        self.assertEqual(self.template["Parameters"]["DrainEveryMinutes"]["Default"], "1")
        self.assertEqual(cron["ScheduleExpressionTimezone"], {"Ref": "CronTimeZone"})
        self.assertEqual(cron["State"], {"Fn::If": ["CronIsOn", "ENABLED", "DISABLED"]})

    def test_a_role_may_do_what_its_function_does_and_no_more(self):
        roles = {name: it for name, it in self.resources.items() if it["Type"] == "AWS::IAM::Role"}
        self.assertEqual(set(roles), {"ApiRole", "DrainRole", "CronRole", "ScheduleRole"}, "SAM made another one")
        allowed = {
            "logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords",
            "sqs:SendMessage", "lambda:InvokeFunction",
        }
        for name, role in roles.items():
            self.assertNotIn("ManagedPolicyArns", role["Properties"], name)
            for statement in statements(role):
                actions = statement["Action"]
                actions = {actions} if isinstance(actions, str) else set(actions)
                self.assertLessEqual(actions, allowed, name)
                traces = all(action.startswith("xray:") for action in actions)
                self.assertEqual(statement["Resource"] == "*", traces, f"{name}: {statement}")
        for function, role in zip(FUNCTIONS, ["ApiRole", "DrainRole", "CronRole"]):
            self.assertEqual(self.resources[function]["Properties"]["Role"], {"Fn::GetAtt": [role, "Arn"]})

    def test_logs_go_after_a_while(self):
        groups = self.of_type("AWS::Logs::LogGroup")
        self.assertEqual(len(groups), 4)
        for group in groups.values():
            self.assertEqual(group["RetentionInDays"], {"Ref": "LogRetentionDays"})
        for function in FUNCTIONS:
            self.assertIn("LogGroup", self.resources[function]["Properties"]["LoggingConfig"])

    def test_no_log_level_drops_the_metrics(self):
        # Lambda takes a JSON line without a level for INFO, as it does the drain's metrics.
        level = self.template["Parameters"]["LogLevel"]
        self.assertEqual((level["AllowedValues"], level["Default"]), (["TRACE", "DEBUG", "INFO"], "INFO"))
        for function in FUNCTIONS:
            logging = self.resources[function]["Properties"]["LoggingConfig"]
            self.assertEqual((logging["LogFormat"], logging["ApplicationLogLevel"]), ("JSON", {"Ref": "LogLevel"}))

    def test_secrets_are_looked_up_and_never_given(self):
        for parameter in self.template["Parameters"]:
            self.assertNotRegex(parameter, "(?i)token|password|databaseurl|jwt")
        for function in FUNCTIONS:
            variables = self.resources[function]["Properties"]["Environment"]["Variables"]
            secrets = [name for name in variables if name in SECRETS]
            self.assertIn("DATABASE_URL", secrets)
            for name in secrets:
                value = json.dumps(variables[name])
                self.assertIn("{{resolve:secretsmanager:", value, f"{function}: {name}")

    def test_private_authorities_reach_every_function_where_they_are_given(self):
        for name, parameter, condition in [
            ("REDIS_CA", "RedisCa", "HasRedisCa"), ("DATABASE_CA", "DatabaseCa", "HasDatabaseCa"),
        ]:
            self.assertEqual(self.template["Parameters"][parameter]["Default"], "")
            for function in FUNCTIONS:
                variables = self.resources[function]["Properties"]["Environment"]["Variables"]
                given = {"Fn::If": [condition, {"Ref": parameter}, {"Ref": "AWS::NoValue"}]}
                self.assertEqual(variables[name], given, f"{function}: {name}")

    def test_concurrency_is_reserved_where_a_parameter_says_so(self):
        for function, condition, parameter in [
            ("DrainFunction", "DrainIsReserved", "DrainReservedConcurrency"),
            ("ApiFunction", "ApiIsReserved", "ApiReservedConcurrency"),
        ]:
            reserved = self.resources[function]["Properties"]["ReservedConcurrentExecutions"]
            self.assertEqual(reserved, {"Fn::If": [condition, {"Ref": parameter}, {"Ref": "AWS::NoValue"}]})

    def test_every_alarm_that_is_wanted_is_there_and_explained(self):
        alarms = self.of_type("AWS::CloudWatch::Alarm").values()
        names = {alarm["AlarmName"]["Fn::Sub"].removeprefix("deo-${Stage}-") for alarm in alarms}
        self.assertEqual(names, {
            "api-errors", "drain-errors", "cron-errors", "api-throttles", "drain-throttles", "cron-throttles",
            "api-duration", "drain-duration", "cron-duration", "oldest-waiting", "failed-jobs", "failed-ticks",
            "drain-silent", "billed-commands", "oldest-gathered",
        })
        page = (ROOT / "docs/troubleshooting.md").read_text().split("## Alarms")[1]
        for name in names:
            self.assertIn(f"`{name}`", page)
        self.assertEqual(len(self.of_type("AWS::CloudWatch::Dashboard")), 1)

    def test_an_alarm_of_duration_is_below_its_function_s_timeout(self):
        alarms = self.of_type("AWS::CloudWatch::Alarm")
        for function in FUNCTIONS:
            timeout = self.resources[function]["Properties"]["Timeout"] * 1000
            threshold = alarms[function.replace("Function", "DurationAlarm")]["Threshold"]
            self.assertTrue(0.85 * timeout < threshold < timeout, f"{function}: {threshold} of {timeout} ms")

    def test_three_ticks_of_silence_raise_an_alarm_at_every_rate(self):
        for minutes, ticks in self.template["Mappings"]["Ticks"].items():
            self.assertEqual(ticks["SilentSeconds"], 3 * 60 * int(minutes))
            self.assertEqual(ticks["Seconds"], 60 * int(minutes))
        alarm = self.resources["DrainSilentAlarm"]["Properties"]
        period = {"Fn::FindInMap": ["Ticks", {"Ref": "DrainEveryMinutes"}, "SilentSeconds"]}
        self.assertEqual((alarm["Period"], alarm["EvaluationPeriods"]), (period, 1))
        self.assertEqual(alarm["TreatMissingData"], "breaching")

    def test_stages_differ_by_their_prefix_and_staging_can_be_switched_off(self):
        stages = tomllib.loads((ROOT / "samconfig.toml").read_text())
        overrides = {
            stage: dict(pair.split("=", 1) for pair in it["deploy"]["parameters"]["parameter_overrides"])
            for stage, it in stages.items()
            if stage != "version"
        }
        self.assertEqual(
            {stage: given["RedisPrefix"] for stage, given in overrides.items()},
            {"default": "engineo_dev", "staging": "engineo_staging", "production": "engineo_prod"},
        )
        for switch in ["EnableCron", "EnableQueueProcessors"]:
            self.assertIn(switch, overrides["staging"])
            self.assertEqual(self.template["Parameters"][switch]["AllowedValues"], ["true", "false"])
        self.assertEqual(len({stages[stage]["global"]["parameters"]["stack_name"] for stage in overrides}), 3)


if __name__ == "__main__":
    unittest.main()
