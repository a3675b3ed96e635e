"""What `sam build` really has cargo do: a stand-in for cargo on the PATH notes what it is called with.

    .venv/bin/python -m unittest discover --start-directory local

SAM and cargo-lambda are the real ones; the stand-in compiles nothing, and leaves a file where a binary would be.
"""
import os
import shutil
import subprocess
import tempfile
import tomllib
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# cargo-lambda calls the cargo that $CARGO names.
STAND_IN = """#!/bin/bash
export CARGO=$0
case $1 in
    lambda) shift; exec cargo-lambda lambda "$@" ;;
    build) ;;
    *) exec "$REAL_CARGO" "$@" ;;
esac
printf '%s\\n' "$*" >>"$NOTES"
while (($# > 0)); do
    case $1 in --target) target=$2 ;; --bin) binary=$2 ;; esac
    shift
done
folder=$CARGO_TARGET_DIR/$target/release
mkdir -p "$folder" && cp "$(type -P true)" "$folder/$binary"
"""

# cargo-lambda asks Zig, its linker for another machine, for its version and its folders; nothing is linked here, so
# these tests need no Zig.
ZIG = """#!/bin/bash
[[ $* == version ]] && echo 0.13.0 || printf '#include <...> search starts here:\\n /\\nEnd of search list.\\n' >&2
"""


class Build(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        programs = self.folder / "bin"
        programs.mkdir()
        for name, text in [("cargo", STAND_IN), ("zig", ZIG)]:
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "REAL_CARGO": shutil.which("cargo"),
            "NOTES": str(self.folder / "notes"),
            "CARGO_TARGET_DIR": str(self.folder / "target"),
            "CARGO_ZIGBUILD_ZIG_COMMAND": str(programs / "zig"),
            "AWS_DEFAULT_REGION": "eu-central-1",
            "SAM_CLI_TELEMETRY": "0",
        }

    def build(self, config=ROOT / "samconfig.toml", settings=""):
        """Returns what cargo was called with to build each binary."""
        # The Rust target of arm64 need not be installed for a build that compiles nothing.
        self.environment["CARGO_LAMBDA_BUILD"] = "{skip_target_check=true" + settings + "}"
        output = self.folder / "built"
        done = subprocess.run(
            ["sam", "build", "--config-file", config, "--build-dir", output],
            cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        for function in ["ApiFunction", "DrainFunction", "WokenDrainFunction", "CronFunction"]:
            self.assertTrue((output / function / "bootstrap").exists(), function)
        notes = Path(self.environment["NOTES"])
        calls = [line.split() for line in notes.read_text().splitlines()]
        notes.unlink()
        return calls

    def test_each_binary_is_built_once_for_arm64_from_the_lock_file(self):
        calls = self.build()
        self.assertEqual([call[call.index("--bin") + 1] for call in calls], ["api", "drain", "cron"])
        for call in calls:
            self.assertEqual(call[call.index("--target") + 1], "aarch64-unknown-linux-gnu")
            self.assertIn("--locked", call)
            self.assertIn("--release", call)
            self.assertNotIn("--features", call)

    def test_a_stage_s_architecture_and_a_feature_reach_cargo(self):
        config = tomllib.loads((ROOT / "samconfig.toml").read_text())
        given = config["default"]["global"]["parameters"]["parameter_overrides"]
        text = (ROOT / "samconfig.toml").read_text().replace(f'"{given[0]}",', f'"{given[0]}", "Architecture=x86_64",')
        changed = self.folder / "samconfig.toml"
        changed.write_text(text)
        calls = self.build(changed, ', features=["otlp"]')
        self.assertEqual(len(calls), 3)
        for call in calls:
            self.assertEqual(call[call.index("--target") + 1], "x86_64-unknown-linux-gnu")
            self.assertEqual(call[call.index("--features") + 1], "otlp")
            self.assertIn("--locked", call)

    def test_the_template_has_no_key_that_sam_does_not_read(self):
        self.assertNotIn("CargoLambdaFlags", (ROOT / "template.yaml").read_text())


if __name__ == "__main__":
    unittest.main()
