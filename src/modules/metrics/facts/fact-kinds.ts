import { type FactDescription, type FactStatements, statementsFor } from './fact-statements.js';

/** One of the four kinds of facts, with the SQL that follows from its description. */
export interface FactKind extends FactDescription {
  statements: FactStatements;
}

const kindOf = (description: FactDescription): FactKind => ({
  ...description,
  statements: statementsFor(description),
});

export const financial = kindOf({
  table: 'financial_metrics',
  columns: {
    metric_type: 'text',
    category: 'text',
    amount: 'numeric',
    provider_id: 'uuid',
    insurance_carrier: 'text',
    payment_method: 'text',
    procedure_code: 'text',
    notes: 'text',
  },
  filters: { provider: 'provider_id', type: 'metric_type', category: 'category' },
});

export const appointments = kindOf({
  table: 'appointment_metrics',
  columns: {
    provider_id: 'uuid',
    appointment_type: 'text',
    scheduled_count: 'integer',
    completed_count: 'integer',
    cancelled_count: 'integer',
    no_show_count: 'integer',
    average_duration: 'numeric',
    production_amount: 'numeric',
    utilization_rate: 'numeric',
  },
  filters: { provider: 'provider_id', type: 'appointment_type' },
});

export const calls = kindOf({
  table: 'call_metrics',
  columns: {
    call_type: 'text',
    total_calls: 'integer',
    connected_calls: 'integer',
    voicemails: 'integer',
    appointments_scheduled: 'integer',
    average_call_duration: 'numeric',
    staff_member_id: 'uuid',
  },
  computed: ['conversion_rate'],
  filters: { staffMember: 'staff_member_id', type: 'call_type' },
});

const patientValues = {
  active_patients: 'integer',
  new_patients: 'integer',
  reactivated_patients: 'integer',
  lost_patients: 'integer',
  patient_retention_rate: 'numeric',
  average_patient_value: 'numeric',
  recare_compliance_rate: 'numeric',
  treatment_acceptance_rate: 'numeric',
};

export const patients = kindOf({
  table: 'patient_metrics',
  columns: patientValues,
  filters: {},
  values: Object.keys(patientValues),
});
