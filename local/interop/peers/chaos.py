"""A worker of BullMQ for Python beside the drains of `deo chaos`, which adds a few jobs of its own: says what it
added, one line of JSON a job, says "ready", and works until SIGTERM. As chaos.mjs is for Node."""

import asyncio
import hashlib
import itertools
import json
import os
import signal
import sys
import time

from bullmq import Queue, Worker
from bullmq.custom_errors import UnrecoverableError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

TASK = json.loads(sys.argv[1])
OPTIONS = {"connection": TASK["redis"], "prefix": TASK["prefix"]}
# The moment of the read is taken once the project is locked, so that no other one's comes between.
SAVE = """
  WITH project AS (SELECT id FROM "Project" WHERE id = :'project' FOR NO KEY UPDATE),
  read AS MATERIALIZED (SELECT id, date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC') AS at FROM project),
  moved AS (UPDATE "Project" p SET "currentDeoScore" = 50, "currentDeoScoreComputedAt" = read.at FROM read
    WHERE p.id = read.id AND (p."currentDeoScoreComputedAt" IS NULL OR p."currentDeoScoreComputedAt" < read.at))
  INSERT INTO "DeoScoreSnapshot" AS s (id, "projectId", "overallScore", "computedAt", "updatedAt")
  SELECT :'id', read.id, 50, read.at, read.at FROM read
  ON CONFLICT (id) DO UPDATE SET "overallScore" = 50, "computedAt" = excluded."computedAt"
  WHERE s."computedAt" < excluded."computedAt";
  SELECT 'there' FROM "DeoScoreSnapshot" WHERE id = :'id';
"""


def snapshot_id(job):
    """The id of a job's snapshot: a UUID out of the SHA-256 of the parts, each behind its length."""
    digest = hashlib.sha256()
    for part in ["deo-snapshot", TASK["prefix"], TASK["queue"], job.id, str(job.timestamp)]:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    uuid = bytearray(digest.digest()[:16])
    uuid[6] = 0x80 | (uuid[6] & 0x0F)
    uuid[8] = 0x80 | (uuid[8] & 0x3F)
    text = uuid.hex()
    return "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]])


async def process(job, token):
    project = job.data.get("projectId") if isinstance(job.data, dict) else None
    if not isinstance(project, str) or "\0" in project or len(project) > 10_000:
        raise UnrecoverableError("Malformed job data")
    snapshot = snapshot_id(job)
    psql = await asyncio.create_subprocess_exec(
        "psql", TASK["database"], "--no-psqlrc", "--quiet", "--tuples-only", "--set=ON_ERROR_STOP=1", f"--set=id={snapshot}", f"--set=project={project}",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env={**os.environ, "PGCONNECT_TIMEOUT": "2"},
    )  # fmt: skip
    out, _ = await psql.communicate(SAVE.encode())
    if psql.returncode != 0:
        raise Exception("the database cannot be used now")
    if b"there" not in out:
        raise UnrecoverableError("Project not found")
    return {"projectId": project, "snapshotId": snapshot}


async def main():
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    # As in chaos.mjs: a call whose answer is lost fails.
    once = Redis.from_url(TASK["redis"], decode_responses=True, retry=Retry(NoBackoff(), 0))
    queue = Queue(TASK["queue"], {**OPTIONS, "connection": once})
    worker = Worker(TASK["queue"], process, {**OPTIONS, "concurrency": 3, "lockDuration": 5_000, "stalledInterval": 2_000})
    print("ready", flush=True)
    for n in range(TASK["adds"]):
        project = f"seed-1-p{n % TASK['projects']:07}"
        for again in itertools.count():
            if over.is_set():
                break
            said = {"id": f"{TASK['name']}-{n}-{again}", "project": project, "timestamp": int(time.time() * 1_000)}
            options = {"jobId": said["id"], "timestamp": said["timestamp"], "attempts": 3, "backoff": {"type": "fixed", "delay": 100}}
            print(json.dumps({**said, "unanswered": True}), flush=True)
            try:
                await queue.add("deo_score_recompute", {"projectId": project}, options)
                print(json.dumps(said), flush=True)
                break
            except Exception:
                print(json.dumps({**said, "unanswered": True, "failed": True}), flush=True)
                await asyncio.sleep(0.05)
    await over.wait()
    await worker.close()
    await queue.close()


asyncio.run(main())
