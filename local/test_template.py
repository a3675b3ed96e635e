"""What CloudFormation gets to see of template.yaml, once SAM has transformed it.

    .venv/bin/python -m unittest discover --start-directory local
"""
import json
import re
import tomllib
import unittest

from transformed import FUNCTIONS, ROOT, SECRETS, read, resources


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
        # Before the first night that is so as well, which its mail and its page say.
        self.assertIn("On a new stage", alarm["AlarmDescription"])
        page = (ROOT / "docs/troubleshooting.md").read_text()
        self.assertIn("On a new stage", next(row for row in page.splitlines() if row.startswith("| `cron-silent` |")))
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


if __name__ == "__main__":
    unittest.main()
