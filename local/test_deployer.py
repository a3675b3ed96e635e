"""What docs/deployer-policy.json lets its holder do.

    .venv/bin/python -m unittest discover --start-directory local
"""
import fnmatch
import json
import tomllib
import unittest

from transformed import ROOT, resources


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
