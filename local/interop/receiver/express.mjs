// A receiver in Express: does each job of a batch, and says how it ended.
import express from 'express';
import { isSigned } from './signed.mjs';

export const receiver = (secret, work) =>
  express().post('/jobs', express.raw({ type: 'application/json', limit: '10mb' }), async (request, response) => {
    if (!isSigned(request.headers, request.body, secret)) return response.sendStatus(401);
    const jobs = await Promise.all(JSON.parse(request.body).jobs.map((job) => work(job).then(
      (returnvalue) => ({ id: job.id, status: 'completed', returnvalue }),
      (error) => ({ id: job.id, status: 'failed', reason: error.message }),
    )));
    response.json({ jobs });
  });
