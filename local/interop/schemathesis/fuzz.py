"""Fuzzes a private API with requests that its own description allows and forbids.

`deo up` serves it with a Redis, a Postgres and a ticking drain. The user is made an administrator
and one project gets a score, so that every route has something to answer. Two runs: ids that exist,
and ids that schemathesis invents. Fails when a run does, or when it could not reach a route's core.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
from openapi_spec_validator import validate

SUITE = Path(__file__).parent
DEO = Path("target/debug/deo")
SCHEMATHESIS = Path(sys.executable).parent / "st"


def ask(places, path, method="GET"):
    """What the API answers to the user."""
    request = urllib.request.Request(places["apiUrl"] + path, method=method)
    request.add_header("Authorization", "Bearer " + places["token"])
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response), response.headers


def prepare(places):
    """Makes the user an administrator and gives the project a score; the id of the job that did."""
    with psycopg.connect(places["databaseUrl"]) as database:
        database.execute("""UPDATE "User" SET role = 'ADMIN'""")
    _, headers = ask(places, f"/projects/{places['projectId']}/deo-score/recompute", "POST")
    job_id = headers["X-Job-Id"]
    until = time.monotonic() + 60
    while (job := ask(places, f"/jobs/{job_id}")[0])["state"] != "completed":
        if job["state"] == "failed" or time.monotonic() > until:
            raise SystemExit(f"the drain did not score the project: {job}")
        time.sleep(0.2)
    return job_id


def fuzz(places, arguments, *more):
    """Runs schemathesis once; whether it found nothing."""
    command = [SCHEMATHESIS, *more, "run", places["apiUrl"] + "/openapi.json"]
    command += ["--header", "Authorization: Bearer " + places["token"]]
    command += ["--seed", str(arguments.seed), "--max-examples", str(arguments.examples)]
    command += ["--max-response-time", "15", "--request-timeout", "20"]
    return subprocess.run(command, env=os.environ, check=False).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=50, help="a route and a run")
    arguments = parser.parse_args()

    # Private servers, whatever the environment says.
    settings = {"REDIS_URL", "DATABASE_URL", "JWT_SECRET", "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"}
    environment = {name: value for name, value in os.environ.items() if name not in settings}
    # The routes that operate the queue, too.
    environment["API_QUEUE_OPERATIONS"] = "true"
    up = [DEO, "up", "--json", "--every", "1s", "--listen", "127.0.0.1:0", "--rest-listen", "127.0.0.1:0"]
    with subprocess.Popen(up, stdout=subprocess.PIPE, env=environment, text=True) as system:
        try:
            places = json.loads(system.stdout.readline())
            validate(ask(places, "/openapi.json")[0])
            os.environ["PROJECT_ID"] = places["projectId"]
            os.environ["JOB_ID"] = prepare(places)
            known = fuzz(places, arguments, "--config-file", SUITE / "known.toml")
            invented = fuzz(places, arguments, "--config-file", SUITE / "invented.toml")
        finally:
            system.send_signal(signal.SIGINT)
            system.wait(30)
    sys.exit(0 if known and invented else 1)


if __name__ == "__main__":
    main()
