import { Injectable } from '@nestjs/common';
import { partialUpdate } from '../../../kernel/database/partial-update.js';
import { assertIfMatch, etagOf } from '../../../kernel/http/etag.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { feeOf, inMinorUnits } from './appointment-fee.js';
import { DoctorSettings, type DoctorSettingsChanges, versionOf } from './doctor-settings.schemas.js';

interface SettingsRow extends Omit<DoctorSettings, 'appointmentFee'> {
  appointmentFeeMinor: string | null;
  appointmentFeeCurrency: string | null;
}

/** A doctor's own settings. There is a row once something was changed; until then the defaults are answered. */
@Injectable()
export class DoctorSettingsService {
  constructor(private readonly database: Database) {}

  async get(doctorId: string): Promise<DoctorSettings> {
    const row = await this.database.first<SettingsRow>(getSettings, [doctorId]);
    return row ? settingsOf(row) : defaults;
  }

  async change(doctorId: string, changes: DoctorSettingsChanges, ifMatch?: string): Promise<DoctorSettings> {
    const isNew = (await this.database.query(insertSettings, [doctorId])).length > 0;
    const present = await this.database.first<SettingsRow>(`${getSettings} FOR UPDATE`, [doctorId]);
    if (!present) throw new NotFound();
    assertIfMatch(ifMatch, etagOf(versionOf(DoctorSettings.parse(isNew ? defaults : settingsOf(present)))));
    const update = partialUpdate({
      table: 'public.doctor_settings',
      where: { doctor_id: doctorId },
      changes: { ...changes, ...feeColumns(changes) },
      columns: changeable,
      returning: columns,
    });
    if (!update) return settingsOf(present);
    const [row] = await this.database.query<SettingsRow>(update.text, update.values);
    if (!row) throw new NotFound();
    return settingsOf(row);
  }
}

function settingsOf({ appointmentFeeMinor, appointmentFeeCurrency, ...settings }: SettingsRow): DoctorSettings {
  return { ...settings, appointmentFee: feeOf(appointmentFeeMinor, appointmentFeeCurrency) };
}

function feeColumns({ appointmentFee: fee }: DoctorSettingsChanges): object {
  if (fee === undefined) return {};
  if (fee === null) return { appointmentFeeMinor: null, appointmentFeeCurrency: null };
  return { appointmentFeeMinor: inMinorUnits(fee), appointmentFeeCurrency: fee.currency };
}

/** As the columns' own, for whoever has no row. */
const defaults: DoctorSettings = {
  practiceName: null,
  specialty: null,
  addressSummary: null,
  appointmentFee: null,
  country: null,
  timeZone: 'UTC',
  businessHours: {},
  slotIntervalMinutes: 15,
  minAdvanceHours: 0,
  maxAdvanceBookingDays: 90,
  cancellationPolicyHours: null,
  maxAppointmentsPerDay: null,
  welcomeMessage: null,
  awayMessage: null,
  instagramReceptionistPaused: false,
  instagramReceptionistPauseMessage: null,
  leadKeywords: [],
  leadPublicReply: null,
  leadPrivateReply: null,
  updatedAt: null,
};

const changeable = {
  practiceName: 'practice_name',
  specialty: 'specialty',
  addressSummary: 'address_summary',
  appointmentFeeMinor: 'appointment_fee_minor',
  appointmentFeeCurrency: 'appointment_fee_currency',
  country: 'country',
  timeZone: 'time_zone',
  businessHours: 'business_hours',
  slotIntervalMinutes: 'slot_interval_minutes',
  minAdvanceHours: 'min_advance_hours',
  maxAdvanceBookingDays: 'max_advance_booking_days',
  cancellationPolicyHours: 'cancellation_policy_hours',
  maxAppointmentsPerDay: 'max_appointments_per_day',
  welcomeMessage: 'welcome_message',
  awayMessage: 'away_message',
  instagramReceptionistPaused: 'instagram_receptionist_paused',
  instagramReceptionistPauseMessage: 'instagram_receptionist_pause_message',
  leadKeywords: 'lead_keywords',
  leadPublicReply: 'lead_public_reply',
  leadPrivateReply: 'lead_private_reply',
};

const columns = `${Object.values(changeable).join(', ')}, updated_at`;

const getSettings = `SELECT ${columns} FROM public.doctor_settings WHERE doctor_id = $1`;

/** Of two first changes at once the second waits here for the first, and goes on from what it has made. */
const insertSettings = `
  INSERT INTO public.doctor_settings (doctor_id) VALUES ($1) ON CONFLICT (doctor_id) DO NOTHING RETURNING doctor_id`;
