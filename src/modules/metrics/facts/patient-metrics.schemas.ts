import { z } from 'zod';
import { pageOf } from '../../../kernel/http/page.js';
import {
  factChangeFields,
  factFields,
  factsQuery,
  Money,
  newFactFields,
  outcomeOf,
  PatientCount,
  Rate,
  warnings,
} from './fact-fields.js';

const valueFields = {
  activePatients: PatientCount.nullable(),
  newPatients: PatientCount.nullable(),
  reactivatedPatients: PatientCount.nullable(),
  lostPatients: PatientCount.nullable(),
  patientRetentionRate: Rate.nullable(),
  averagePatientValue: Money.nullable(),
  recareComplianceRate: Rate.nullable(),
  treatmentAcceptanceRate: Rate.nullable(),
};

export const PatientMetric = z.object({ ...factFields, ...valueFields }).meta({ id: 'PatientMetric' });
export type PatientMetric = z.input<typeof PatientMetric>;

export const PatientMetrics = pageOf(PatientMetric, 'PatientMetrics');
export const PatientMetricsQuery = factsQuery;
export type PatientMetricsQuery = z.infer<typeof PatientMetricsQuery>;

export const NewPatientMetric = z
  .strictObject({
    ...newFactFields,
    activePatients: valueFields.activePatients.default(null),
    newPatients: valueFields.newPatients.default(null),
    reactivatedPatients: valueFields.reactivatedPatients.default(null),
    lostPatients: valueFields.lostPatients.default(null),
    patientRetentionRate: valueFields.patientRetentionRate.default(null),
    averagePatientValue: valueFields.averagePatientValue.default(null),
    recareComplianceRate: valueFields.recareComplianceRate.default(null),
    treatmentAcceptanceRate: valueFields.treatmentAcceptanceRate.default(null),
  })
  .meta({ id: 'NewPatientMetric', description: 'At least one value.' });
export type NewPatientMetric = z.infer<typeof NewPatientMetric>;

export const PatientMetricChanges = z
  .strictObject({ ...factChangeFields, ...valueFields })
  .partial()
  .meta({ id: 'PatientMetricChanges' });
export type PatientMetricChanges = z.infer<typeof PatientMetricChanges>;

export const WrittenPatientMetric = PatientMetric.extend({ warnings }).meta({ id: 'WrittenPatientMetric' });
export const PatientMetricBatch = z
  .strictObject({ items: z.array(NewPatientMetric).min(1) })
  .meta({ id: 'PatientMetricBatch' });
export type PatientMetricBatch = z.infer<typeof PatientMetricBatch>;
export const WrittenPatientMetrics = z
  .object({ data: z.array(PatientMetric), warnings })
  .meta({ id: 'WrittenPatientMetrics' });
export const PatientMetricOutcomes = outcomeOf(PatientMetric, 'PatientMetricOutcomes');
