// A receiver in NestJS: does each job of a batch, and says how it ended.
import 'reflect-metadata';
import { Controller, Headers, HttpCode, Module, Post, RawBody, UnauthorizedException } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { isSigned } from './signed.mjs';

type Job = { id: string; name: string; data: any; idempotencyKey: string };

export async function receiver(secret: string, work: (job: Job) => Promise<unknown>) {
  @Controller('jobs')
  class Jobs {
    @Post()
    @HttpCode(200)
    async all(@Headers() headers: Record<string, string>, @RawBody() body: Buffer) {
      if (!isSigned(headers, body, secret)) throw new UnauthorizedException();
      const jobs = JSON.parse(body.toString()).jobs.map((job: Job) => work(job).then(
        (returnvalue) => ({ id: job.id, status: 'completed', returnvalue }),
        (error) => ({ id: job.id, status: 'failed', reason: error.message }),
      ));
      return { jobs: await Promise.all(jobs) };
    }
  }

  @Module({ controllers: [Jobs] })
  class App {}

  const app = await NestFactory.create<NestExpressApplication>(App, { rawBody: true, logger: false });
  app.useBodyParser('json', { limit: '10mb' });
  return app;
}
