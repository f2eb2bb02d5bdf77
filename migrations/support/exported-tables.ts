/** What the exports of `format-export-data` hold. What this file says never changes once that migration has landed. */

/**
 * `text` is what a person or another system wrote; `word` is ours, and holds nothing that a file would have to escape;
 * `name` is the text that a provider of this id is called by; a `decimal` is text in JSON, which would lose digits.
 */
export type Kind = 'text' | 'word' | 'number' | 'decimal' | 'date' | 'name';

/** SQL of what is asked for: the parameters of a function, or the settings that a view reads. */
export interface Asked {
  clinic: string;
  from: string;
  to: string;
  /** The row before the page, as an object by names of the file. Empty before the first page. */
  after: string;
}

export interface ExportedTable {
  table: string;
  /** Name in the file -> SQL and kind. */
  columns: Readonly<Record<string, readonly [sql: string, kind: Kind]>>;
  from: string;
  where: (asked: Asked) => string;
  /** Name in the file -> SQL and type, in the order of an index. */
  key: Readonly<Record<string, readonly [sql: string, type: keyof typeof least]>>;
}

const providerColumns = (alias: string): ExportedTable['columns'] => ({
  provider: [`${alias}.provider_id`, 'word'],
  providerName: [`${alias}.provider_id`, 'name'],
});

/** Facts leave under the names that an import takes. */
const factTable = (table: string, columns: ExportedTable['columns']): ExportedTable => ({
  table,
  columns: {
    date: ['f.date', 'date'],
    ...columns,
    sourceReference: ['f.source_reference', 'text'],
    id: ['f.id', 'word'],
  },
  from: `public.${table} f`,
  // The day of the key once more, alone: the years before it are passed over.
  where: ({ clinic, from, to, after }) =>
    `f.clinic_id = ${clinic} AND f.date BETWEEN greatest(${from}, (${after} ->> 'date')::date) AND ${to}`,
  key: { date: ['f.date', 'date'], id: ['f.id', 'uuid'] },
});

export const exportedTables: readonly ExportedTable[] = [
  factTable('financial_metrics', {
    metricType: ['f.metric_type', 'word'],
    category: ['f.category', 'text'],
    amount: ['f.amount', 'decimal'],
    ...providerColumns('f'),
    insuranceCarrier: ['f.insurance_carrier', 'text'],
    paymentMethod: ['f.payment_method', 'text'],
    procedureCode: ['f.procedure_code', 'text'],
    notes: ['f.notes', 'text'],
  }),
  factTable('appointment_metrics', {
    ...providerColumns('f'),
    appointmentType: ['f.appointment_type', 'text'],
    scheduledCount: ['f.scheduled_count', 'number'],
    completedCount: ['f.completed_count', 'number'],
    cancelledCount: ['f.cancelled_count', 'number'],
    noShowCount: ['f.no_show_count', 'number'],
    averageDuration: ['f.average_duration', 'decimal'],
    productionAmount: ['f.production_amount', 'decimal'],
    utilizationRate: ['f.utilization_rate', 'decimal'],
  }),
  factTable('call_metrics', {
    callType: ['f.call_type', 'text'],
    totalCalls: ['f.total_calls', 'number'],
    connectedCalls: ['f.connected_calls', 'number'],
    voicemails: ['f.voicemails', 'number'],
    appointmentsScheduled: ['f.appointments_scheduled', 'number'],
    conversionRate: ['f.conversion_rate', 'decimal'],
    averageCallDuration: ['f.average_call_duration', 'decimal'],
    staffMember: ['f.staff_member_id', 'word'],
  }),
  factTable('patient_metrics', {
    activePatients: ['f.active_patients', 'number'],
    newPatients: ['f.new_patients', 'number'],
    reactivatedPatients: ['f.reactivated_patients', 'number'],
    lostPatients: ['f.lost_patients', 'number'],
    patientRetentionRate: ['f.patient_retention_rate', 'decimal'],
    averagePatientValue: ['f.average_patient_value', 'decimal'],
    recareComplianceRate: ['f.recare_compliance_rate', 'decimal'],
    treatmentAcceptanceRate: ['f.treatment_acceptance_rate', 'decimal'],
  }),
  {
    table: 'metric_definitions',
    columns: {
      code: ['d.code', 'word'],
      name: ['d.name', 'text'],
      description: ['d.description', 'text'],
      dataType: ['d.data_type', 'word'],
      category: ['d.category', 'text'],
      isComposite: ['d.is_composite', 'word'],
      calculationFormula: ['d.calculation_formula', 'text'],
      behaviour: ['d.behaviour', 'word'],
      isSystem: ['d.is_system', 'word'],
      id: ['d.id', 'word'],
    },
    from: 'public.metric_definitions d',
    where: ({ clinic }) => `(d.clinic_id IS NULL OR d.clinic_id = ${clinic})`,
    key: { code: ['d.code', 'text'] },
  },
  {
    table: 'metric_aggregations',
    columns: {
      metric: ['d.code', 'word'],
      ...providerColumns('a'),
      granularity: ['a.aggregation_type', 'word'],
      periodStart: ['a.period_start', 'date'],
      periodEnd: ['a.period_end', 'date'],
      value: ['a.value', 'decimal'],
      count: ['a.count', 'number'],
      minimum: ['a.minimum', 'decimal'],
      maximum: ['a.maximum', 'decimal'],
      average: ['a.average', 'decimal'],
      standardDeviation: ['a.standard_deviation', 'decimal'],
      metricId: ['a.metric_definition_id', 'word'],
    },
    from: 'public.metric_aggregations a JOIN public.metric_definitions d ON d.id = a.metric_definition_id',
    where: ({ clinic, from, to }) => `a.clinic_id = ${clinic} AND a.period_start BETWEEN ${from} AND ${to}`,
    key: {
      granularity: ['a.aggregation_type', 'text'],
      metricId: ['a.metric_definition_id', 'uuid'],
      periodStart: ['a.period_start', 'date'],
      // The whole clinic, which has no provider, comes first.
      provider: [`coalesce(a.provider_id, '00000000-0000-0000-0000-000000000000')`, 'uuid'],
    },
  },
  {
    table: 'goals',
    columns: {
      name: ['g.name', 'text'],
      metric: ['d.code', 'word'],
      ...providerColumns('g'),
      timePeriod: ['g.time_period', 'word'],
      startDate: ['g.start_date', 'date'],
      endDate: ['g.end_date', 'date'],
      targetValue: ['g.target_value', 'decimal'],
      direction: ['g.direction', 'word'],
      status: ['g.status', 'word'],
      currentValue: ['g.current_value', 'decimal'],
      progress: ['g.progress', 'decimal'],
      id: ['g.id', 'word'],
    },
    from: 'public.goals g JOIN public.metric_definitions d ON d.id = g.metric_definition_id',
    where: ({ clinic, from, to }) => `g.clinic_id = ${clinic} AND g.end_date >= ${from} AND g.start_date <= ${to}`,
    key: { startDate: ['g.start_date', 'date'], id: ['g.id', 'uuid'] },
  },
];

/** What is before every key, so that the first page is asked for as the others are, and the index is entered there. */
export const least = {
  date: `'-infinity'::date`,
  uuid: `'00000000-0000-0000-0000-000000000000'::uuid`,
  text: `''`,
};
