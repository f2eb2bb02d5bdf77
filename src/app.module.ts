import { type DynamicModule, Module } from '@nestjs/common';
import { AuditModule } from './kernel/audit/audit.module.js';
import type { Config } from './kernel/config/config.js';
import { ConfigModule } from './kernel/config/config.module.js';
import { DatabaseModule } from './kernel/database/database.module.js';
import { LimitsModule } from './kernel/http/limits.module.js';
import { JobWorkerModule } from './kernel/jobs/job-worker.module.js';
import { JobsModule } from './kernel/jobs/jobs.module.js';
import { ObservabilityModule } from './kernel/observability/observability.module.js';
import { SecretsModule } from './kernel/secrets/secrets.module.js';
import { TenancyModule } from './kernel/tenancy/tenancy.module.js';
import { AuthModule } from './modules/auth/auth.module.js';
import { ClinicsModule } from './modules/clinics/clinics.module.js';
import { InstanceModule } from './modules/instance/instance.module.js';
import { MessengerModule } from './modules/messenger/messenger.module.js';
import { MetricsModule } from './modules/metrics/metrics.module.js';
import { SocialModule } from './modules/social/social.module.js';

const kernel = [
  DatabaseModule,
  ObservabilityModule,
  TenancyModule,
  LimitsModule,
  SecretsModule,
  AuditModule,
  JobsModule,
];

const modules = [AuthModule, ClinicsModule, InstanceModule, MessengerModule, MetricsModule, SocialModule];

/** The whole service: the kernel, the modules that stand on it, and, where wanted, the worker. */
@Module({})
// biome-ignore lint/complexity/noStaticOnlyClass: a dynamic module is a class with a static method, by Nest's convention
export class AppModule {
  static with(config: Config, { withWorker }: { withWorker: boolean }): DynamicModule {
    const worker = withWorker ? [JobWorkerModule] : [];
    return { module: AppModule, imports: [ConfigModule.with(config), ...kernel, ...modules, ...worker] };
  }
}
