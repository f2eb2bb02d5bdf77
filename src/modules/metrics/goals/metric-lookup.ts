import { Injectable } from '@nestjs/common';
import { UnknownReference } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';

export interface KnownMetric {
  id: string;
  name: string;
}

/** Metrics by their code, as goals name them. */
@Injectable()
export class MetricLookup {
  constructor(private readonly database: Database) {}

  /** A metric of the system, or of the clinic where one is given. @throws UnknownReference */
  async find(code: string, clinicId: string | null): Promise<KnownMetric> {
    const metric = await this.database.first<KnownMetric>(findMetric, [code, clinicId]);
    if (metric) return metric;
    const message = `There is no metric '${code}'.`;
    throw new UnknownReference(message, {
      errors: [{ path: 'metric', code: UnknownReference.definition.code, message }],
    });
  }
}

const findMetric = `
  SELECT id, name FROM public.metric_definitions WHERE code = $1 AND (is_system OR clinic_id = $2)`;
