/** The tables that rows can be brought into. */
export const factTables = ['financial_metrics', 'appointment_metrics', 'call_metrics', 'patient_metrics'] as const;
export type FactTable = (typeof factTables)[number];

/** What a field holds: the same limits as the columns have, and as the routes of facts ask for. */
export type FieldType =
  | { kind: 'date' }
  | { kind: 'text'; maximum: number; isMultiline?: boolean }
  | { kind: 'choice'; values: readonly string[] }
  | { kind: 'integer'; maximum: number }
  | { kind: 'decimal'; unit: 'currency' | 'percent' | 'number'; minimum: number; maximum: number }
  | { kind: 'provider' }
  | { kind: 'member' };

/** A field that a column of a file can be mapped to. */
export interface Field {
  name: string;
  /** The column of the table; of a provider or member, that of its id. */
  column: string;
  type: FieldType;
  /** Without it no row can be made: it must be mapped or constant, and a row without it is refused. */
  isRequired?: boolean;
  /** What an empty cell stands for, in a column that cannot be null. */
  whenEmpty?: string;
  /** Headers under which practice systems export it, in lower case; the name itself counts too. */
  headers: readonly string[];
}

export const metricTypes = ['production', 'collection', 'adjustment', 'write_off', 'refund', 'expense'] as const;

const line: FieldType = { kind: 'text', maximum: 200 };
const count: FieldType = { kind: 'integer', maximum: 1_000_000 };
const people: FieldType = { kind: 'integer', maximum: 100_000_000 };
const money: FieldType = { kind: 'decimal', unit: 'currency', minimum: -9_999_999_999.99, maximum: 9_999_999_999.99 };
const percent: FieldType = { kind: 'decimal', unit: 'percent', minimum: 0, maximum: 100 };
const minutes: FieldType = { kind: 'decimal', unit: 'number', minimum: 0, maximum: 99_999.99 };
const seconds: FieldType = { kind: 'decimal', unit: 'number', minimum: 0, maximum: 9_999_999.99 };

const date: Field = {
  name: 'date',
  column: 'date',
  type: { kind: 'date' },
  isRequired: true,
  headers: ['day', 'business day', 'service date', 'date of service', 'datum', 'tag', 'fecha'],
};
const provider: Field = {
  name: 'provider',
  column: 'provider_id',
  type: { kind: 'provider' },
  headers: ['provider name', 'doctor', 'dentist', 'npi', 'behandler', 'zahnarzt', 'arzt'],
};
const sourceReference: Field = {
  name: 'sourceReference',
  column: 'source_reference',
  type: line,
  headers: ['reference', 'transaction id', 'transaction', 'record id', 'id', 'ref', 'beleg', 'belegnummer', 'vorgang'],
};
const counted = (name: string, column: string, headers: readonly string[]): Field => ({
  name,
  column,
  type: count,
  whenEmpty: '0',
  headers,
});

/** The fields of each table. A file's column can reach these and no other: never the clinic, never who wrote a row. */
export const fieldsOf: Readonly<Record<FactTable, readonly Field[]>> = {
  financial_metrics: [
    date,
    {
      name: 'metricType',
      column: 'metric_type',
      type: { kind: 'choice', values: metricTypes },
      isRequired: true,
      headers: ['type', 'metric', 'transaction type', 'art', 'buchungsart'],
    },
    { name: 'category', column: 'category', type: line, headers: ['kategorie', 'group', 'leistungsart'] },
    {
      name: 'amount',
      column: 'amount',
      type: money,
      isRequired: true,
      headers: ['value', 'total', 'fee', 'betrag', 'summe', 'umsatz', 'honorar'],
    },
    provider,
    {
      name: 'insuranceCarrier',
      column: 'insurance_carrier',
      type: line,
      headers: ['insurance', 'carrier', 'payer', 'kasse', 'krankenkasse', 'versicherung'],
    },
    { name: 'paymentMethod', column: 'payment_method', type: line, headers: ['payment', 'zahlart', 'zahlungsart'] },
    {
      name: 'procedureCode',
      column: 'procedure_code',
      type: { kind: 'text', maximum: 50 },
      headers: ['procedure', 'code', 'ada code', 'cdt', 'ziffer', 'leistung', 'bema', 'goz'],
    },
    {
      name: 'notes',
      column: 'notes',
      type: { kind: 'text', maximum: 2000, isMultiline: true },
      headers: ['note', 'comment', 'remarks', 'bemerkung', 'notiz'],
    },
    sourceReference,
  ],
  appointment_metrics: [
    date,
    provider,
    {
      name: 'appointmentType',
      column: 'appointment_type',
      type: line,
      headers: ['type', 'appointment', 'terminart', 'termin'],
    },
    {
      ...counted('scheduledCount', 'scheduled_count', ['scheduled', 'appointments', 'booked', 'geplant', 'termine']),
      isRequired: true,
    },
    counted('completedCount', 'completed_count', ['completed', 'kept', 'seen', 'wahrgenommen', 'erledigt']),
    counted('cancelledCount', 'cancelled_count', ['cancelled', 'canceled', 'abgesagt', 'storniert']),
    counted('noShowCount', 'no_show_count', ['no shows', 'no-shows', 'missed', 'nicht erschienen', 'ausfall']),
    {
      name: 'averageDuration',
      column: 'average_duration',
      type: minutes,
      headers: ['duration', 'minutes', 'average minutes', 'dauer', 'minuten'],
    },
    {
      name: 'productionAmount',
      column: 'production_amount',
      type: money,
      headers: ['production', 'amount', 'umsatz', 'betrag'],
    },
    {
      name: 'utilizationRate',
      column: 'utilization_rate',
      type: percent,
      headers: ['utilization', 'utilisation', 'chair utilization', 'auslastung'],
    },
    sourceReference,
  ],
  call_metrics: [
    date,
    { name: 'callType', column: 'call_type', type: line, headers: ['type', 'direction', 'anrufart', 'richtung'] },
    {
      ...counted('totalCalls', 'total_calls', ['total', 'calls', 'anrufe', 'gesamt']),
      isRequired: true,
    },
    counted('connectedCalls', 'connected_calls', ['connected', 'answered', 'angenommen', 'verbunden']),
    counted('voicemails', 'voicemails', ['voicemail', 'voice mail', 'anrufbeantworter', 'mailbox']),
    counted('appointmentsScheduled', 'appointments_scheduled', ['appointments', 'booked', 'termine', 'vereinbart']),
    {
      name: 'averageCallDuration',
      column: 'average_call_duration',
      type: seconds,
      headers: ['duration', 'seconds', 'average seconds', 'average duration', 'dauer', 'sekunden'],
    },
    {
      name: 'staffMember',
      column: 'staff_member_id',
      type: { kind: 'member' },
      headers: ['staff', 'agent', 'staff id'],
    },
    sourceReference,
  ],
  patient_metrics: [
    date,
    {
      name: 'activePatients',
      column: 'active_patients',
      type: people,
      headers: ['active', 'patients', 'aktive patienten', 'patienten'],
    },
    { name: 'newPatients', column: 'new_patients', type: people, headers: ['new', 'neupatienten', 'neue patienten'] },
    {
      name: 'reactivatedPatients',
      column: 'reactivated_patients',
      type: people,
      headers: ['reactivated', 'reaktiviert', 'recall patients'],
    },
    {
      name: 'lostPatients',
      column: 'lost_patients',
      type: people,
      headers: ['lost', 'inactive', 'verloren', 'abgang'],
    },
    {
      name: 'patientRetentionRate',
      column: 'patient_retention_rate',
      type: percent,
      headers: ['retention', 'retention rate', 'bindung', 'bindungsquote'],
    },
    {
      name: 'averagePatientValue',
      column: 'average_patient_value',
      type: money,
      headers: ['patient value', 'average value', 'patientenwert'],
    },
    {
      name: 'recareComplianceRate',
      column: 'recare_compliance_rate',
      type: percent,
      headers: ['recare', 'recall', 'recall rate', 'recare rate', 'recallquote'],
    },
    {
      name: 'treatmentAcceptanceRate',
      column: 'treatment_acceptance_rate',
      type: percent,
      headers: ['acceptance', 'treatment acceptance', 'case acceptance', 'annahmequote'],
    },
    sourceReference,
  ],
};
