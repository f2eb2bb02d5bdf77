import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import { JOB_HANDLER, type JobHandlerOptions, SCHEDULED } from './job-handler.decorator.js';

export interface RegisteredJob extends JobHandlerOptions {
  schedule: string | undefined;
  run(payload: unknown): Promise<void>;
}

/** All jobs of the service by name. The start fails when two methods handle one. */
@Injectable()
export class JobRegistry implements OnModuleInit {
  private readonly jobs = new Map<string, RegisteredJob>();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly reflector: Reflector,
  ) {}

  onModuleInit(): void {
    for (const { instance } of this.discovery.getProviders()) {
      if (typeof instance !== 'object' || instance === null) continue;
      for (const method of this.scanner.getAllMethodNames(Object.getPrototypeOf(instance)))
        this.register(instance, method);
    }
  }

  all(): RegisteredJob[] {
    return [...this.jobs.values()];
  }

  /** Throws for a name without handler: a job that nobody would ever run must not be enqueued. */
  get(name: string): RegisteredJob {
    const job = this.jobs.get(name);
    if (!job) throw new Error(`The job '${name}' has no handler: declare one with @JobHandler.`);
    return job;
  }

  private register(instance: object, method: string): void {
    const handler = (instance as Record<string, unknown>)[method];
    if (typeof handler !== 'function') return;
    const options = this.reflector.get<JobHandlerOptions | undefined>(JOB_HANDLER, handler);
    if (!options) return;
    if (this.jobs.has(options.name)) throw new Error(`The job '${options.name}' has two handlers: keep one.`);
    const schedule = this.reflector.get<string | undefined>(SCHEDULED, handler);
    this.jobs.set(options.name, { ...options, schedule, run: (payload) => handler.call(instance, payload) });
  }
}
