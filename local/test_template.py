"""What CloudFormation gets to see of template.yaml, once SAM has transformed it.

    .venv/bin/python -m unittest discover --start-directory local

SAM answers here as it does in AWS, so these are the resources that are made, not the shorthand for them.
"""
import fnmatch
import json
import os
import re
import subprocess
import sys
import tomllib
import unittest
from pathlib import Path
from unittest import mock

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


def statements(role):
    """Those under a condition among them."""
    policies = (policy.get("Fn::If", [None, policy])[1] for policy in role["Properties"]["Policies"])
    return [
        statement
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
    ]


class Template(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.template, cls.resources = read(), resources()

    def of_type(self, kind):
        return {name: it["Properties"] for name, it in self.resources.items() if it["Type"] == kind}

    def test_every_function_is_on_al2023_and_built_by_cargo_lambda(self):
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
        read = {"authorization", "content-encoding", "content-type", "idempotency-key", "if-none-match"}
        self.assertEqual(set(given["allowHeaders"]), read | {"traceparent", "tracestate"})
        self.assertEqual(none, {"Ref": "AWS::NoValue"})

    def test_an_origin_that_no_browser_sends_is_refused_before_it_is_deployed(self):
        origins = self.template["Parameters"]["CorsOrigins"]
        takes = re.compile(origins["AllowedPattern"]).fullmatch
        for good in ["", "*", origins["Default"], "https://a.example,http://localhost:3000,https://b-c.example"]:
            self.assertTrue(takes(good), good)
        # A browser sends no slash, and the API would compare the space.
        for bad in [
            "https://a.example/", "https://a.example, https://b.example", " https://a.example", "a.example",
            "https://a.example,", "https://a.example/app", "https://*.example", "*,https://a.example",
        ]:
            self.assertFalse(takes(bad), bad)
        self.assertIn("without spaces", origins["ConstraintDescription"])

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
            "sqs:SendMessage", "lambda:InvokeFunction", "events:PutEvents",
        }
        for name, role in roles.items():
            self.assertNotIn("ManagedPolicyArns", role["Properties"], name)
            for statement in statements(role):
                actions = statement["Action"]
                actions = {actions} if isinstance(actions, str) else set(actions)
                self.assertLessEqual(actions, allowed, name)
                traces = all(action.startswith("xray:") for action in actions)
                self.assertEqual(statement["Resource"] == "*", traces, f"{name}: {statement}")
        for function, role in zip(FUNCTIONS, ["ApiRole", "DrainRole", "DrainRole", "CronRole"]):
            self.assertEqual(self.resources[function]["Properties"]["Role"], {"Fn::GetAtt": [role, "Arn"]})

    def test_events_are_put_on_the_bus_that_is_named_and_on_no_other(self):
        for role in ["DrainRole", "CronRole"]:
            condition, policy, none = self.resources[role]["Properties"]["Policies"][-1]["Fn::If"]
            self.assertEqual((condition, none), ("DropsGoToABus", {"Ref": "AWS::NoValue"}))
            [statement] = policy["PolicyDocument"]["Statement"]
            self.assertEqual(statement["Action"], "events:PutEvents")
            self.assertTrue(statement["Resource"]["Fn::Sub"].endswith(":event-bus/${DropEventsBus}"), role)
        self.assertNotIn("events:", json.dumps(self.resources["ApiRole"]))
        api = self.resources["ApiFunction"]["Properties"]["Environment"]["Variables"]
        # It writes events down, and sends none.
        self.assertEqual([name for name in api if name.startswith("DROP_")], ["DROP_EVENTS_POINTS"])

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

    def test_a_flood_at_the_drain_s_url_takes_no_tick_s_place(self):
        scheduled = {
            schedule["Target"]["Arn"]["Fn::GetAtt"][0] for schedule in self.of_type("AWS::Scheduler::Schedule").values()
        }
        self.assertEqual(scheduled, {"DrainFunction", "CronFunction"})
        # Whatever is open to the public: URLs without IAM, and permissions for everybody.
        urls = self.of_type("AWS::Lambda::Url").values()
        open_to_all = {url["TargetFunctionArn"]["Fn::GetAtt"][0] for url in urls if url["AuthType"] == "NONE"}
        open_to_all |= {
            permission["FunctionName"]["Fn::GetAtt"][0]
            for permission in self.of_type("AWS::Lambda::Permission").values()
            if permission["Principal"] == "*"
        }
        self.assertEqual(open_to_all, {"WokenDrainFunction"})
        for name in ["WokenDrainFunction", "DrainUrl", "DrainUrlPermission", "DrainUrlInvokePermission"]:
            self.assertEqual(self.resources[name]["Condition"], "DrainIsWoken", name)
        # It has slots of its own: no more than these, and always these.
        woken = self.resources["WokenDrainFunction"]["Properties"]
        self.assertEqual(woken["ReservedConcurrentExecutions"], {"Ref": "DrainWakeConcurrency"})
        slots = self.template["Parameters"]["DrainWakeConcurrency"]
        self.assertGreaterEqual(slots["Default"], slots["MinValue"])
        self.assertEqual(slots["MinValue"], 1)
        # The same program with the same settings, but for the token; only behind the URL there is one.
        drain = self.resources["DrainFunction"]["Properties"]
        self.assertEqual((woken["Code"], woken["Timeout"]), (drain["Code"], drain["Timeout"]))
        variables = dict(woken["Environment"]["Variables"])
        self.assertIn("DRAIN_WAKE_TOKEN", variables)
        self.assertNotIn("DRAIN_WAKE_TOKEN", drain["Environment"]["Variables"])
        del variables["DRAIN_WAKE_TOKEN"]
        self.assertEqual(variables, drain["Environment"]["Variables"])

    def test_every_alarm_that_is_wanted_is_there_and_explained(self):
        alarms = self.of_type("AWS::CloudWatch::Alarm").values()
        names = {alarm["AlarmName"]["Fn::Sub"].removeprefix("deo-${Stage}-") for alarm in alarms}
        self.assertEqual(names, {
            "api-errors", "drain-errors", "cron-errors", "api-throttles", "drain-throttles", "cron-throttles",
            "api-duration", "drain-duration", "cron-duration", "oldest-waiting", "failed-jobs", "failed-ticks",
            "drain-silent", "billed-commands", "oldest-gathered", "wake-errors", "wake-throttles", "wake-duration",
            "anomalies", "command-budget", "cron-silent",
        })
        page = (ROOT / "docs/troubleshooting.md").read_text().split("## Alarms")[1]
        for name in names:
            self.assertIn(f"`{name}`", page)
        self.assertEqual(len(self.of_type("AWS::CloudWatch::Dashboard")), 1)

    def holds(self, condition, given):
        """Whether a condition of the template holds for these parameters."""
        def value(it):
            if not isinstance(it, dict):
                return it
            (key, inside), = it.items()
            match key:
                case "Ref":
                    return given[inside]
                case "Condition":
                    return value(self.template["Conditions"][inside])
                case "Fn::Equals":
                    return value(inside[0]) == value(inside[1])
                case "Fn::Not":
                    return not value(inside[0])
                case "Fn::And":
                    return all(value(part) for part in inside)
            self.fail(f"{key} is not understood")

        return value({"Condition": condition})

    def alarms(self, **parameters):
        """The names of the alarms that a stage with these parameters has."""
        given = {name: it.get("Default", "") for name, it in self.template["Parameters"].items()} | parameters
        return {
            it["Properties"]["AlarmName"]["Fn::Sub"].removeprefix("deo-${Stage}-")
            for it in self.resources.values()
            if it["Type"] == "AWS::CloudWatch::Alarm" and ("Condition" not in it or self.holds(it["Condition"], given))
        }

    def test_a_stage_has_at_most_the_ten_alarms_that_are_free_unless_it_asks_for_all(self):
        self.assertEqual(self.alarms(), {
            "failed-ticks", "drain-errors", "drain-silent", "oldest-waiting", "failed-jobs", "anomalies", "cron-errors",
            "cron-silent", "api-errors",
        })
        # Whatever else is switched on.
        most = self.alarms(CommandBudget="500000", DrainWake="direct", DrainPatienceMinutes=30)
        self.assertEqual(most - self.alarms(), {"command-budget"})
        self.assertLessEqual(len(most), 10)
        self.assertNotIn("cron-silent", self.alarms(EnableCron="false"))
        everything = self.alarms(Alarms="all", CommandBudget="500000", DrainWake="direct", DrainPatienceMinutes=30)
        self.assertEqual(len(everything), 21)
        # The same switch has the drain keep all of its figures, or ten.
        for function in FUNCTIONS:
            variables = self.resources[function]["Properties"]["Environment"]["Variables"]
            self.assertEqual(variables["CLOUDWATCH_METRICS"], {"Ref": "Alarms"})

    def test_a_night_that_is_left_out_raises_an_alarm(self):
        alarm = self.resources["CronSilentAlarm"]["Properties"]
        self.assertEqual((alarm["MetricName"], alarm["TreatMissingData"]), ("Invocations", "breaching"))
        self.assertEqual((alarm["EvaluationPeriods"], alarm["Period"]), ({"Ref": "CronSilentHours"}, 3600))
        hours = self.template["Parameters"]["CronSilentHours"]
        # More than a day; and CloudWatch looks a week back at most.
        self.assertTrue(24 < hours["Default"] and hours["MaxValue"] * 3600 <= 7 * 86_400)

    def test_saved_queries_ask_for_fields_that_are_written(self):
        queries = self.of_type("AWS::Logs::QueryDefinition").values()
        self.assertEqual(len(queries), 4)
        code = (ROOT / "functions/drain/src/metrics.rs").read_text()
        for query in queries:
            for name in re.findall(r"\b[A-Z][A-Za-z]+[a-z]\b", query["QueryString"]):
                self.assertIn(f'"{name}"', code)
            for group in query["LogGroupNames"]:
                self.assertEqual(self.resources[group["Ref"]]["Type"], "AWS::Logs::LogGroup")

    def test_an_alarm_of_duration_is_below_its_function_s_timeout(self):
        alarms = self.of_type("AWS::CloudWatch::Alarm")
        for function in ["ApiFunction", "DrainFunction", "WokenDrainFunction", "CronFunction"]:
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
            stage: dict(pair.split("=", 1) for pair in it["global"]["parameters"]["parameter_overrides"])
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


class Documented(unittest.TestCase):
    """What docs/deploy.md has its reader type."""

    page = (ROOT / "docs/deploy.md").read_text()

    def test_the_region_that_is_chosen_is_sam_s_too(self):
        import botocore.session

        line = next(line for line in self.page.splitlines() if "export AWS_REGION=" in line)
        chosen = dict(pair.split("=") for pair in line.split()[1:])
        with mock.patch.dict(os.environ, AWS_CONFIG_FILE=os.devnull):
            os.environ.pop("AWS_DEFAULT_REGION", None)
            # SAM asks botocore, which knows this name alone.
            os.environ["AWS_REGION"] = chosen["AWS_REGION"]
            self.assertIsNone(botocore.session.Session().get_config_variable("region"))
            os.environ.update(chosen)
            self.assertEqual(botocore.session.Session().get_config_variable("region"), "eu-central-1")
        self.assertEqual(chosen["AWS_REGION"], chosen["AWS_DEFAULT_REGION"])

    def test_readme_and_page_deploy_by_the_same_command(self):
        for text in [(ROOT / "README.md").read_text(), self.page]:
            self.assertIn("\nsam build && sam deploy\n", text.replace("\n   ", "\n"))
            self.assertNotIn("--guided", text)

    def test_the_secret_is_made_of_what_the_transport_needs(self):
        script = self.page.split("<<'PYTHON'\n")[1].split("PYTHON\n")[0]
        settings = {name: f"the {name}" for name in SECRETS}

        def secret(**more):
            given = {"PATH": os.environ["PATH"], **more}
            done = subprocess.run([sys.executable, "-"], input=script, env=given, capture_output=True, text=True)
            return json.loads(done.stdout) if done.returncode == 0 else done.stderr

        needed = {name: settings[name] for name in ["DATABASE_URL", "JWT_SECRET"]}
        rest = {**needed, "UPSTASH_REDIS_REST_TOKEN": "the UPSTASH_REDIS_REST_TOKEN"}
        tcp = {**needed, "REDIS_URL": "the REDIS_URL"}
        self.assertEqual(secret(**rest), rest)
        self.assertEqual(secret(**tcp, REDIS_TRANSPORT="tcp"), tcp)
        self.assertIn("UPSTASH_REDIS_REST_TOKEN", secret(**needed))
        # What the template may look up in it is put into it where it is there.
        self.assertEqual(set(secret(**settings)), set(SECRETS) - {"REDIS_URL"})


class Deployer(unittest.TestCase):
    """docs/deployer-policy.json, as far as that can be told without an account: every resource of the template
    can be made, read, changed and deleted with it, and it opens nothing else."""

    # What CloudFormation calls on behalf of who deploys, by the type of a resource: making it, changing it,
    # reading it and deleting it. Of roles and functions, also what is handed to them.
    CALLS = {
        "AWS::ApiGatewayV2::Api": "apigateway:POST apigateway:PUT apigateway:PATCH apigateway:GET apigateway:DELETE",
        "AWS::ApiGatewayV2::Stage": "apigateway:POST apigateway:PATCH apigateway:GET apigateway:DELETE "
        "logs:CreateLogDelivery logs:UpdateLogDelivery logs:DeleteLogDelivery",
        "AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm cloudwatch:DescribeAlarms cloudwatch:DeleteAlarms",
        "AWS::CloudWatch::Dashboard": "cloudwatch:PutDashboard cloudwatch:GetDashboard cloudwatch:DeleteDashboards",
        "AWS::IAM::Role": "iam:CreateRole iam:PutRolePolicy iam:GetRole iam:UpdateAssumeRolePolicy "
        "iam:DeleteRolePolicy iam:DeleteRole iam:PassRole",
        "AWS::Lambda::EventInvokeConfig": "lambda:PutFunctionEventInvokeConfig "
        "lambda:UpdateFunctionEventInvokeConfig lambda:GetFunctionEventInvokeConfig lambda:DeleteFunctionEventInvokeConfig",
        "AWS::Lambda::Function": "lambda:CreateFunction lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration "
        "lambda:PutFunctionConcurrency lambda:DeleteFunctionConcurrency lambda:GetFunction lambda:DeleteFunction",
        "AWS::Lambda::Permission": "lambda:AddPermission lambda:GetPolicy lambda:RemovePermission",
        "AWS::Lambda::Url": "lambda:CreateFunctionUrlConfig lambda:UpdateFunctionUrlConfig "
        "lambda:GetFunctionUrlConfig lambda:DeleteFunctionUrlConfig",
        "AWS::Logs::LogGroup": "logs:CreateLogGroup logs:PutRetentionPolicy logs:DescribeLogGroups logs:DeleteLogGroup",
        "AWS::Logs::QueryDefinition": "logs:PutQueryDefinition logs:DescribeQueryDefinitions logs:DeleteQueryDefinition",
        "AWS::SQS::Queue": "sqs:CreateQueue sqs:SetQueueAttributes sqs:GetQueueAttributes sqs:DeleteQueue",
        "AWS::Scheduler::Schedule": "scheduler:CreateSchedule scheduler:UpdateSchedule scheduler:GetSchedule "
        "scheduler:DeleteSchedule",
    }
    # Names of actions that are no operations of their service's API.
    PERMISSIONS_ONLY = {
        "cloudformation:TagResource", "iam:PassRole", "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:GetLogDelivery",
        "logs:ListLogDeliveries", "logs:UpdateLogDelivery", "s3:ListBucket", "s3:PutBucketPublicAccessBlock",
        "s3:PutEncryptionConfiguration",
    }

    @classmethod
    def setUpClass(cls):
        cls.resources = resources(DrainWake="qstash", QueueHttp="true")
        cls.policy = json.loads((ROOT / "docs/deployer-policy.json").read_text())["Statement"]

    @staticmethod
    def listed(value):
        return [value] if isinstance(value, str) else value

    def arn(self, name, resource):
        """What AWS calls it in the stage dev of the stack deo-dev."""
        kind, properties = resource["Type"], resource["Properties"]

        def named(key):
            return properties[key]["Fn::Sub"].replace("${Stage}", "dev")

        match kind:
            case "AWS::ApiGatewayV2::Api":
                return "arn:aws:apigateway:REGION::/apis"
            case "AWS::ApiGatewayV2::Stage":
                return "arn:aws:apigateway:REGION::/apis/a1b2/stages/$default"
            case "AWS::CloudWatch::Alarm":
                return f"arn:aws:cloudwatch:REGION:ACCOUNT:alarm:{named('AlarmName')}"
            case "AWS::CloudWatch::Dashboard":
                return f"arn:aws:cloudwatch::ACCOUNT:dashboard/{named('DashboardName')}"
            case "AWS::IAM::Role":
                self.assertNotIn("RoleName", properties)
                return f"arn:aws:iam::ACCOUNT:role/deo-dev-{name}-X1Y2"
            case "AWS::Lambda::Function":
                return f"arn:aws:lambda:REGION:ACCOUNT:function:{named('FunctionName')}"
            case "AWS::Lambda::EventInvokeConfig" | "AWS::Lambda::Permission" | "AWS::Lambda::Url":
                of = properties.get("FunctionName") or properties["TargetFunctionArn"]
                function = of.get("Ref") or of["Fn::GetAtt"][0]
                return self.arn(function, self.resources[function])
            case "AWS::Logs::LogGroup":
                return f"arn:aws:logs:REGION:ACCOUNT:log-group:{named('LogGroupName')}"
            case "AWS::Logs::QueryDefinition":
                # Its ARN holds an id that AWS chooses, and no name.
                return "arn:aws:logs:REGION:ACCOUNT:query-definition:1a2b"
            case "AWS::SQS::Queue":
                return f"arn:aws:sqs:REGION:ACCOUNT:{named('QueueName')}"
            case "AWS::Scheduler::Schedule":
                return f"arn:aws:scheduler:REGION:ACCOUNT:schedule/default/{named('Name')}"
        self.fail(f"{name} is a {kind}: say what deploying it calls, and how it is named")

    def allows(self, action, arn):
        return any(
            action in self.listed(statement["Action"])
            and any(fnmatch.fnmatchcase(arn, it) for it in self.listed(statement["Resource"]))
            for statement in self.policy
        )

    def test_every_resource_can_be_deployed(self):
        self.assertGreater(len(self.resources), 30)
        for name, resource in self.resources.items():
            arn = self.arn(name, resource)
            for action in self.CALLS[resource["Type"]].split():
                self.assertTrue(self.allows(action, arn), f"{name}: {action} on {arn}")
        self.assertEqual({it["Type"] for it in self.resources.values()}, set(self.CALLS))

    def test_the_secret_of_every_stage_can_be_read(self):
        stages = tomllib.loads((ROOT / "samconfig.toml").read_text())
        for stage, it in stages.items():
            if stage == "version":
                continue
            given = dict(pair.split("=", 1) for pair in it["global"]["parameters"]["parameter_overrides"])
            secret = f"arn:aws:secretsmanager:REGION:ACCOUNT:secret:{given['SecretName']}-a1B2c3"
            self.assertTrue(self.allows("secretsmanager:GetSecretValue", secret), stage)
            stack = f"arn:aws:cloudformation:REGION:ACCOUNT:stack/{it['global']['parameters']['stack_name']}/1"
            self.assertTrue(self.allows("cloudformation:ExecuteChangeSet", stack), stage)

    def test_its_actions_exist_and_none_of_them_is_a_pattern(self):
        import botocore.session

        session = botocore.session.get_session()
        for statement in self.policy:
            self.assertEqual(statement["Effect"], "Allow")
            for action in self.listed(statement["Action"]):
                service, operation = action.split(":")
                if service == "apigateway" or action in self.PERMISSIONS_ONLY:
                    continue
                self.assertIn(operation, session.get_service_model(service).operation_names, action)

    def test_it_opens_nothing_of_others(self):
        others = [
            "arn:aws:lambda:REGION:ACCOUNT:function:payments", "arn:aws:iam::ACCOUNT:role/admin",
            "arn:aws:sqs:REGION:ACCOUNT:orders", "arn:aws:s3:::invoices", "arn:aws:s3:::invoices/x",
            "arn:aws:secretsmanager:REGION:ACCOUNT:secret:payments-a1B2c3",
            "arn:aws:logs:REGION:ACCOUNT:log-group:/aws/lambda/payments",
            "arn:aws:cloudformation:REGION:ACCOUNT:stack/payments/1",
            "arn:aws:scheduler:REGION:ACCOUNT:schedule/default/payments",
        ]
        for statement in self.policy:
            actions, where = self.listed(statement["Action"]), self.listed(statement["Resource"])
            if where == ["*"]:
                self.assertEqual(statement["Sid"], "WhatHasNoResource")
                for action in actions:
                    self.assertRegex(action, "^(cloudformation:GetTemplateSummary|logs:.*(LogDeliver|ResourcePolic|DescribeLogGroups|QueryDefinition).*)$")
                continue
            for arn in others:
                self.assertFalse(any(fnmatch.fnmatchcase(arn, it) for it in where), f"{statement['Sid']}: {arn}")
            if "iam:PassRole" in actions:
                services = statement["Condition"]["StringEquals"]["iam:PassedToService"]
                self.assertEqual(services, ["lambda.amazonaws.com", "scheduler.amazonaws.com"])
            else:
                self.assertNotIn("iam:PassRole", actions)


if __name__ == "__main__":
    unittest.main()
