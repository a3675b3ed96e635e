// Traces over the queue, with BullMQ's own telemetry package on its side: what one side begins, the other
// goes on with.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, beforeEach, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { BullMQOtel } from 'bullmq-otel';
import { NEWEST, QUEUE, VERSIONS, connection, database, deo, once, project, redis } from './deo.mjs';

const { Queue, Worker } = VERSIONS[NEWEST];
const prefix = 'engineo';
const exporter = new InMemorySpanExporter();

before(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
});
beforeEach(() => redis.flushdb());
after(async () => {
  await redis.quit();
  await database.end();
});

/** What the drain logs: a line for each job whose trace is recorded. */
async function drain() {
  const env = { ...process.env, RUST_LOG: 'info', NO_COLOR: '1' };
  const { stderr } = await promisify(execFile)(process.env.DEO, ['drain', '--json'], { env });
  return stderr.split('\n').filter((line) => line.includes('job settled'));
}

describe(`BullMQ ${NEWEST}`, () => {
  test('a trace that a Node producer begins, is told of by the drain', async () => {
    const telemetry = new BullMQOtel({ tracerName: 'test', version: '1' });
    const queue = new Queue(QUEUE, { connection, prefix, telemetry });
    const id = await project();
    const span = trace.getTracer('test').startSpan('a click');
    await context.with(trace.setSpan(context.active(), span), () =>
      queue.add('deo_score_recompute', { projectId: id, triggeredByUserId: null, reason: 'manual' }));
    span.end();
    await queue.close();
    const lines = await drain();
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines[0], new RegExp(`trace_id="${span.spanContext().traceId}"`));
    assert.match(lines[0], /outcome=Completed/);
  });

  test('a trace that comes with a request to the API, goes on in a Node worker', async () => {
    const id = await project();
    const user = (await database.query('SELECT "userId" FROM "Project" WHERE id = $1', [id])).rows[0].userId;
    const { token } = await deo(['token', '--user', user, '--json']);
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const headers = { authorization: `Bearer ${token}`, traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: 'vendor=1' };
    const url = `${process.env.DEO_API_URL}/projects/${id}/deo-score/recompute`;
    assert.equal((await fetch(url, { method: 'POST', headers })).status, 201);
    const telemetry = new BullMQOtel({ tracerName: 'test', version: '1' });
    const worker = new Worker(QUEUE, () => trace.getActiveSpan().spanContext().traceId, { connection, prefix, telemetry });
    const [, seen] = await once(worker, 'completed');
    await worker.close();
    assert.equal(seen, traceId);
    const span = exporter.getFinishedSpans().find(({ name }) => name === `process ${QUEUE}`);
    assert.equal(span.parentSpanContext.spanId, 'b7ad6b7169203331');
    assert.equal(span.spanContext().traceState.serialize(), 'vendor=1');
  });
});
