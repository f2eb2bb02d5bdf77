import { z } from 'zod';
import { BusinessDay } from '../business-day.js';

export const exportFormats = {
  csv: 'text/csv; charset=utf-8',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  json: 'application/json; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
} as const;

export const ExportQuery = z.strictObject({
  table: z
    .enum([
      'financial_metrics',
      'appointment_metrics',
      'call_metrics',
      'patient_metrics',
      'metric_definitions',
      'metric_aggregations',
      'goals',
    ])
    .meta({ description: 'What to export.' }),
  format: z.enum(['csv', 'xlsx', 'json', 'ndjson']).default('csv'),
  from: BusinessDay.optional().meta({ description: 'The first day; definitions have none.' }),
  to: BusinessDay.optional().meta({ description: 'The last day, included.' }),
  bom: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'Whether CSV begins with a byte order mark, by which Excel knows that it is UTF-8.' }),
});
export type ExportQuery = z.infer<typeof ExportQuery>;
