import { Controller, Get, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { NotReady } from '../http/http.errors.js';
import { Operation } from '../http/operation.decorator.js';
import { anybody } from '../tenancy/access.js';
import { Metrics } from './metrics.js';
import { Readiness, ReadinessReport } from './readiness.js';

const Liveness = z.object({ status: z.literal('up') }).meta({ id: 'Liveness' });

/** For whoever runs the service: is it up, can it serve, how does it do. */
@ApiTags('operations')
@Controller()
export class HealthController {
  constructor(
    private readonly readiness: Readiness,
    private readonly metrics: Metrics,
  ) {}

  @Get('health/live')
  @Operation({
    id: 'getLiveness',
    summary: 'Whether the process runs',
    access: anybody,
    unlimited: true,
    answers: Liveness,
  })
  live(): z.infer<typeof Liveness> {
    return { status: 'up' };
  }

  @Get('health/ready')
  @Operation({
    id: 'getReadiness',
    summary: 'Whether it can serve: database, migrations, queue',
    access: anybody,
    unlimited: true,
    answers: ReadinessReport,
    refusals: [NotReady],
  })
  ready(): Promise<ReadinessReport> {
    return this.readiness.report();
  }

  @Get('metrics')
  @Operation({
    id: 'getMetrics',
    summary: 'Metrics in the format of Prometheus',
    access: anybody,
    unlimited: true,
    status: 200,
  })
  async page(@Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    const { contentType, text } = await this.metrics.page();
    reply.type(contentType).send(text);
  }
}
