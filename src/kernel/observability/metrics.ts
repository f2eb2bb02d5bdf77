import { Inject, Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { POOL } from '../database/pool.js';

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface RequestObservation {
  method: string;
  route: string;
  status: number;
  durationSeconds: number;
  problemCode?: string;
}

/** The counters of one process, for Prometheus. Labels are routes and codes, never ids. */
@Injectable()
export class Metrics {
  private readonly registry = new Registry();
  private readonly requests = new Histogram({
    name: 'polyclinic_request_duration_seconds',
    help: 'Time to answer, by route; its count is the number of requests',
    labelNames: ['method', 'route', 'status'],
    buckets: seconds,
    registers: [this.registry],
  });
  private readonly refusals = new Counter({
    name: 'polyclinic_refusals_total',
    help: 'Problem documents answered, by code',
    labelNames: ['code'],
    registers: [this.registry],
  });
  private readonly transactions = new Counter({
    name: 'polyclinic_transactions_total',
    help: 'Transactions of requests and jobs, by how they ended',
    labelNames: ['outcome'],
    registers: [this.registry],
  });
  private readonly jobs = new Histogram({
    name: 'polyclinic_job_duration_seconds',
    help: 'Time of a job, by name and outcome',
    labelNames: ['job', 'outcome'],
    buckets: seconds,
    registers: [this.registry],
  });

  constructor(@Inject(POOL) pool: Pool) {
    collectDefaultMetrics({ register: this.registry });
    new Gauge({
      name: 'polyclinic_pool_connections',
      help: 'Connections of the pool, by state',
      labelNames: ['state'],
      registers: [this.registry],
      collect() {
        this.set({ state: 'total' }, pool.totalCount);
        this.set({ state: 'idle' }, pool.idleCount);
        this.set({ state: 'waiting' }, pool.waitingCount);
      },
    });
  }

  requestAnswered({ method, route, status, durationSeconds, problemCode }: RequestObservation): void {
    this.requests.observe({ method, route, status }, durationSeconds);
    if (problemCode) this.refusals.inc({ code: problemCode });
  }

  transactionEnded(outcome: 'committed' | 'rolled-back' | 'retried'): void {
    this.transactions.inc({ outcome });
  }

  jobFinished(job: string, outcome: 'done' | 'failed', durationSeconds: number): void {
    this.jobs.observe({ job, outcome }, durationSeconds);
  }

  /** A counter of a module's own. Labels are kinds and outcomes, never ids. */
  counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> {
    return new Counter({ name: `polyclinic_${name}`, help, labelNames, registers: [this.registry] });
  }

  /** The page that Prometheus reads. */
  async page(): Promise<{ contentType: string; text: string }> {
    return { contentType: this.registry.contentType, text: await this.registry.metrics() };
  }
}
