"""What docs/deploy.md has its reader type.

    .venv/bin/python -m unittest discover --start-directory local
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from transformed import ROOT, SECRETS


class Documented(unittest.TestCase):
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

    def test_the_secret_s_file_is_its_owner_s_alone_and_the_shell_makes_files_as_before(self):
        commands = next(block for block in self.page.split("```sh\n") if "> secret.json" in block).split("\n```")[0]
        settings = {name: "secret" for name in SECRETS}
        for left_behind in [False, True]:
            with tempfile.TemporaryDirectory() as folder:
                secret = Path(folder, "secret.json")
                if left_behind:
                    secret.write_text("{}")
                    secret.chmod(0o644)
                subprocess.run(
                    ["bash", "-ec", f"umask 022\n{commands}\ntouch later"],
                    cwd=folder, env={"PATH": os.environ["PATH"], **settings}, check=True,
                )
                mode = {file.name: file.stat().st_mode & 0o777 for file in Path(folder).iterdir()}
                self.assertEqual(mode, {"secret.json": 0o600, "later": 0o644})
                self.assertIn("JWT_SECRET", json.loads(secret.read_text()))


if __name__ == "__main__":
    unittest.main()
