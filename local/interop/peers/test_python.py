"""BullMQ for Python on one queue with ours: it processes what we enqueue, and we drain what it enqueues."""

import asyncio
import itertools
import json
import os
import time
import unittest
import uuid
from importlib.metadata import version

from bullmq import Job, Queue, QueueEvents, Worker
from bullmq.custom_errors import UnrecoverableError

REDIS_URL = os.environ["REDIS_URL"]
PREFIX = "python"
LOCK_MS = 30_000
# A quarter of the jobs will do for the old major.
BATCHES = 10 if version("bullmq").startswith("2.") else 40


class Driver:
    """The program `drive`, which is built beside deo, spoken to in JSON lines."""

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            os.path.join(os.path.dirname(os.environ["DEO"]), "drive"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24
        )

    async def ask(self, op, **request):
        self.process.stdin.write(json.dumps({"op": op, **request}).encode() + b"\n")
        answer = json.loads(await self.process.stdout.readline())
        assert "error" not in answer and "refused" not in answer, answer
        return answer

    async def stop(self):
        self.process.stdin.close()
        await self.process.wait()


async def stop(worker):
    """Ends a worker whose jobs are done. Without force, `close` waits for the fetch under way, and for ever where
    that began while it was called."""
    await worker.close(force=True)


class Case(unittest.IsolatedAsyncioTestCase):
    """A queue of its own for each test, seen from both sides."""

    async def asyncSetUp(self):
        self.name = f"q{uuid.uuid4().hex}"
        self.options = {"connection": REDIS_URL, "prefix": PREFIX}
        self.queue = Queue(self.name, self.options)
        self.deo = Driver()
        await self.deo.start()
        await self.deo.ask("open", prefix=PREFIX, queue=self.name, events="all", lockMs=LOCK_MS)

    async def asyncTearDown(self):
        await self.deo.stop()
        await self.queue.close()

    async def enqueue(self, *options):
        """Jobs of ours, one for each dictionary of options; their ids."""
        jobs = [{"name": "ours", "data": json.dumps({"n": n}), "opts": opts} for n, opts in enumerate(options)]
        return [added["id"] for added in (await self.deo.ask("enqueue", jobs=jobs))["added"]]

    async def end(self, claimed, how, value):
        jobs = [{"id": job["id"], "how": how, "value": value} for job in claimed["jobs"]]
        return (await self.deo.ask("settle", claim=claimed["claim"], jobs=jobs))["codes"]

    async def until(self, state, count):
        """Waits until `count` jobs have ended in `state`."""
        async with asyncio.timeout(30):
            while (await self.queue.getJobCounts(state))[state] < count:
                await asyncio.sleep(0.01)


class Processed(Case):
    """Python's worker takes what we enqueue."""

    async def work(self, process, state, count):
        """Lets a worker process until nothing is left to do and `count` jobs have ended in `state`."""
        worker = Worker(self.name, process, self.options)
        await self.until(state, count)
        async with asyncio.timeout(30):
            while any((await self.queue.getJobCounts("waiting", "active", "delayed")).values()):
                await asyncio.sleep(0.01)
        await stop(worker)

    async def test_jobs_of_every_kind_are_processed(self):
        started = []

        async def process(job: Job, token):
            started.append(job.id)
            return {"saw": job.data["n"]}

        ids = await self.enqueue(
            {"priority": 9}, {}, {"delay": 300}, {"priority": 2}, {"lifo": True}, {"jobId": "custom"},
            {"deduplication": {"id": "d"}}, {"attempts": 3, "backoff": {"type": "exponential", "delay": 10}},
        )  # fmt: skip
        self.assertEqual(ids[5], "custom")
        await self.work(process, "completed", len(ids))
        low, plain, late, high, front, custom, deduplicated, tried = ids
        # The delayed one goes before what is ranked where a slow machine comes to that late.
        self.assertEqual([id for id in started if id != late], [front, plain, custom, deduplicated, tried, high, low])
        self.assertEqual(started.count(late), 1)
        job = await Job.fromId(self.queue, late)
        self.assertGreaterEqual(job.processedOn, job.timestamp + 300)
        for n, id in enumerate(ids):
            job = await Job.fromId(self.queue, id)
            self.assertEqual(job.returnvalue, {"saw": n})
            self.assertEqual(await self.queue.getJobState(id), "completed")
        # Its deduplication went with it.
        self.assertNotEqual(await self.enqueue({"deduplication": {"id": "d"}}), [deduplicated])

    async def test_a_job_is_tried_as_often_as_we_asked(self):
        async def process(job: Job, token):
            if job.attemptsMade < 2:
                raise Exception(f"try {job.attemptsMade}")
            return "third"

        [id] = await self.enqueue({"attempts": 3, "backoff": {"type": "fixed", "delay": 10}})
        await self.work(process, "completed", 1)
        job = await Job.fromId(self.queue, id)
        self.assertEqual((job.attemptsMade, job.returnvalue, len(job.stacktrace)), (3, "third", 2))

    async def test_what_failed_there_is_ours_to_retry(self):
        async def process(job: Job, token):
            raise UnrecoverableError("never")

        [id] = await self.enqueue({"attempts": 3})
        await self.work(process, "failed", 1)
        await self.deo.ask("retry", id=id, **{"from": "failed"})
        claimed = await self.deo.ask("claim", count=1)
        self.assertEqual([(job["id"], job["attemptsMade"]) for job in claimed["jobs"]], [(id, 1)])

    async def test_retention_is_obeyed(self):
        async def process(job: Job, token):
            return None

        ids = await self.enqueue(*[{"removeOnComplete": {"count": 3}}] * 10)
        await self.enqueue({"removeOnComplete": True})
        await self.work(process, "completed", 3)
        kept = {job.id for job in await self.queue.getCompleted()}
        self.assertEqual(kept, set(ids[-3:]))

    async def test_a_sleeping_worker_wakes_at_once(self):
        taken = asyncio.get_running_loop().create_future()

        async def process(job: Job, token):
            taken.set_result((time.time() * 1_000, job.timestamp))

        worker = Worker(self.name, process, self.options)
        async with asyncio.timeout(30):
            while "cmd=bzpopmin" not in str(await self.queue.client.execute_command("CLIENT", "LIST")):
                await asyncio.sleep(0.01)
            await self.enqueue({})
            at, added = await taken
        self.assertLess(at - added, 3_000)
        await stop(worker)

    async def test_a_job_of_a_dead_owner_is_processed(self):
        await self.deo.ask("open", prefix=PREFIX, queue=self.name, events="all", lockMs=1)
        [id] = await self.enqueue({})
        self.assertEqual(len((await self.deo.ask("claim", count=1))["jobs"]), 1)
        worker = Worker(self.name, lambda job, token: asyncio.sleep(0, "saved"), {**self.options, "stalledInterval": 300})
        await self.until("completed", 1)
        await stop(worker)
        self.assertEqual((await Job.fromId(self.queue, id)).returnvalue, "saved")

    async def test_both_work_on_one_queue_and_no_job_runs_twice(self):
        seen = []

        async def process(job: Job, token):
            seen.append(job.id)
            return "python"

        worker = Worker(self.name, process, {**self.options, "concurrency": 5})
        ids, ours = [], []
        for batch in range(BATCHES):
            add = self.queue.addBulk([{"name": "theirs", "data": {"n": n}, "opts": {}} for n in range(25)])
            mine, theirs = await asyncio.gather(self.enqueue(*[{}] * 25), add)
            ids += mine + [job.id for job in theirs]
            claimed = await self.deo.ask("claim", count=20)
            ours += [job["id"] for job in claimed["jobs"]]
            if claimed["jobs"]:
                self.assertEqual(set(await self.end(claimed, "complete", '"deo"')), {0})
        await self.until("completed", len(ids))
        await stop(worker)
        self.assertEqual(len(set(ids)), BATCHES * 50)
        self.assertEqual(sorted(seen + ours), sorted(ids))
        self.assertTrue(seen and ours)


class Unproven(Case):
    """It says nowhere which version it is, so that nobody on the queue can go by that."""

    async def test_it_names_no_version(self):
        await self.queue.add("theirs", {})
        self.assertIsNone(await self.queue.client.hget(f"{PREFIX}:{self.name}:meta", "version"))

    async def test_every_job_runs_whoever_pauses_adds_and_resumes(self):
        async def ours():
            [id] = await self.enqueue({})
            return id

        async def theirs():
            return (await self.queue.add("theirs", {})).id

        sides = {
            "ours": (lambda: self.deo.ask("pause"), ours, lambda: self.deo.ask("resume")),
            "theirs": (self.queue.pause, theirs, self.queue.resume),
        }
        meta = f"{PREFIX}:{self.name}:meta"
        ran = []

        async def process(job: Job, token):
            ran.append(job.id)

        for pauser, before, meanwhile, resumer in itertools.product(
            sides, [(), ("ours", "theirs")], [("ours", "theirs"), ("theirs", "ours"), ("theirs",)], sides
        ):
            told = (pauser, before, meanwhile, resumer)
            await self.queue.client.flushdb()
            added = [await sides[side][1]() for side in before]
            # Not even ours.
            await self.queue.client.hdel(meta, "version")
            await sides[pauser][0]()
            added += [await sides[side][1]() for side in meanwhile]
            await sides[resumer][2]()
            ran.clear()
            worker = Worker(self.name, process, self.options)
            await self.until("completed", len(added))
            await stop(worker)
            self.assertEqual(sorted(ran), sorted(added), told)

    async def test_what_is_asked_for_while_its_job_is_active_runs_once_more(self):
        options = {"deduplication": {"id": "d", "keepLastIfActive": True}}
        ran, started, release = [], asyncio.Event(), asyncio.Event()

        async def process(job: Job, token):
            ran.append(job.id)
            started.set()
            await release.wait()

        [first] = await self.enqueue(options)
        worker = Worker(self.name, process, self.options)
        async with asyncio.timeout(30):
            await started.wait()
        [second] = await self.enqueue(options)
        self.assertNotEqual(second, first)
        release.set()
        await self.until("completed", 2)
        await stop(worker)
        self.assertEqual(ran, [first, second])


class Drained(Case):
    """We take what Python enqueues."""

    async def test_what_it_added_is_drained(self):
        """By the drain itself: a job for a project that is known, and one for nobody's."""
        [asked] = await command("enqueue", "--all", "--json")
        queue = Queue("deo_score_queue", {"connection": REDIS_URL, "prefix": "engineo"})
        [report] = await command("drain", "--until-empty", "--json")
        self.assertGreater(report["completed"], 1, asked)
        data = (await queue.getCompleted())[0].data
        good = await queue.add("deo_score_recompute", data, {"attempts": 3})
        bad = await queue.add("deo_score_recompute", {**data, "projectId": "nobody"}, {"attempts": 3})
        [report] = await command("drain", "--until-empty", "--json")
        self.assertEqual((report["completed"], report["failed"]), (1, 1))
        job = await Job.fromId(queue, good.id)
        self.assertEqual(job.returnvalue["projectId"], data["projectId"])
        self.assertEqual(await queue.getJobState(good.id), "completed")
        self.assertIn("Project not found", (await Job.fromId(queue, bad.id)).failedReason)
        self.assertEqual(await queue.getJobState(bad.id), "failed")
        await queue.close()

    async def test_order_and_options_are_kept(self):
        add = self.queue.add
        ranked = await add("theirs", {"n": 0}, {"priority": 4})
        plain = await add("theirs", {"text": "ü\u2028", "deep": {"list": []}})
        late = await add("theirs", {}, {"delay": 600_000})
        front = await add("theirs", {}, {"lifo": True})
        custom = await add("theirs", {}, {"jobId": "mine"})
        bulk = await self.queue.addBulk([{"name": "theirs", "data": {"n": n}} for n in range(3)])
        claimed = await self.deo.ask("claim", count=100)
        order = [front, plain, custom, *bulk, ranked]
        self.assertEqual([job["id"] for job in claimed["jobs"]], [job.id for job in order])
        self.assertEqual({job["name"] for job in claimed["jobs"]}, {"theirs"})
        self.assertEqual(json.loads(claimed["jobs"][1]["data"]), {"text": "ü\u2028", "deep": {"list": []}})
        await self.queue.promoteJobs()
        self.assertEqual([job["id"] for job in (await self.deo.ask("claim", count=9))["jobs"]], [late.id])

    async def test_attempts_and_backoff_are_ours_to_keep(self):
        job = await self.queue.add("theirs", {}, {"attempts": 3, "backoff": {"type": "fixed", "delay": 600_000}})
        self.assertEqual(await self.end(await self.deo.ask("claim", count=1), "fail", "first"), [0])
        self.assertEqual(await self.queue.getJobState(job.id), "delayed")
        await self.queue.promoteJobs()
        self.assertEqual(await self.end(await self.deo.ask("claim", count=1), "unrecoverable", "second"), [0])
        job = await Job.fromId(self.queue, job.id)
        self.assertEqual((job.failedReason, job.attemptsMade), ("second", 2))
        self.assertEqual(len(job.stacktrace), 2)
        await self.queue.retryJobs({"state": "failed"})
        self.assertEqual(await self.end(await self.deo.ask("claim", count=1), "complete", '{"a":1}'), [0])
        self.assertEqual((await Job.fromId(self.queue, job.id)).returnvalue, {"a": 1})

    async def test_a_queue_that_it_paused_is_left_alone(self):
        await self.queue.add("theirs", {})
        await self.queue.pause()
        [id] = await self.enqueue({})
        self.assertEqual((await self.deo.ask("claim", count=9))["status"], "paused")
        await self.deo.ask("resume")
        self.assertFalse(await self.queue.isPaused())
        self.assertEqual(len((await self.deo.ask("claim", count=9))["jobs"]), 2)
        await self.deo.ask("pause")
        self.assertTrue(await self.queue.isPaused())
        await self.queue.resume()
        self.assertEqual((await self.deo.ask("claim", count=9))["status"], "empty")

    async def test_its_limits_are_obeyed(self):
        for _ in range(5):
            await self.queue.add("theirs", {})
        await self.queue.setGlobalConcurrency(2)
        claimed = await self.deo.ask("claim", count=9)
        self.assertEqual(len(claimed["jobs"]), 2)
        self.assertEqual((await self.deo.ask("claim", count=9))["status"], "full")
        await self.end(claimed, "complete", "1")
        await self.queue.removeGlobalConcurrency()
        await self.queue.setGlobalRateLimit(1, 600_000)
        self.assertEqual(len((await self.deo.ask("claim", count=9))["jobs"]), 1)
        self.assertEqual((await self.deo.ask("claim", count=9))["status"], "limited")

    async def test_its_listeners_hear_of_everything(self):
        heard, done = [], asyncio.Event()
        # Its close() does not end a read that blocks for long.
        events = QueueEvents(self.name, {**self.options, "lastEventId": "0-0", "blockingTimeout": 100})
        for name in ["added", "waiting", "active", "completed", "failed"]:

            def note(args, *_, name=name):
                heard.append((name, args["jobId"], args.get("returnvalue"), args.get("failedReason")))
                if name == "failed":
                    done.set()

            events.on(name, note)
        good, bad = await self.enqueue({}, {})
        await self.end(await self.deo.ask("claim", count=1), "complete", '{"a":1}')
        await self.end(await self.deo.ask("claim", count=1), "unrecoverable", "why")
        async with asyncio.timeout(30):
            await done.wait()
        await events.close()
        self.assertEqual(heard[:4], [("added", good, None, None), ("waiting", good, None, None), ("added", bad, None, None), ("waiting", bad, None, None)])  # fmt: skip
        self.assertEqual(heard[4:], [("active", good, None, None), ("completed", good, {"a": 1}, None), ("active", bad, None, None), ("failed", bad, None, "why")])  # fmt: skip


async def command(*arguments):
    """A command of `deo`; the lines of JSON that it prints."""
    process = await asyncio.create_subprocess_exec(os.environ["DEO"], *arguments, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert process.returncode == 0, arguments
    return [json.loads(line) for line in printed.splitlines()]


if __name__ == "__main__":
    unittest.main()
