import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import type { Config } from '../kernel/config/config.js';
import { parseKeyRing } from '../kernel/secrets/key-ring.js';
import { Vault } from '../kernel/secrets/vault.js';
import { demoAddress, demoOrganisations } from './demo.js';
import { type Conversation, demoConversations, demoLeads, demoParticipantId, type Line } from './demo-patients.js';

/**
 * A doctor of each demo organisation with settings, a page that is no longer connected, conversations whose messages
 * are in every state that lasts, and people who asked for an appointment in a comment. Written as the owner, as the
 * demo's people are; only where there is no conversation yet.
 *
 * No connection has a token: nothing of the demo reaches Meta. Pages and people of the first organisation are those
 * that the demo's emulator begins with, so that who connects the page there goes on with these conversations.
 */
export async function seedDemoMessenger(config: Config): Promise<void> {
  const client = new pg.Client({ connectionString: config.database.migrationUrl, options: '-c role=polyclinic_owner' });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query('LOCK TABLE public.conversations IN SHARE ROW EXCLUSIVE MODE');
    const { rowCount } = await client.query('SELECT FROM public.conversations LIMIT 1');
    const vault = new Vault(parseKeyRing(config.secrets.vaultKeys));
    if (rowCount === 0)
      for (const [index] of demoOrganisations.entries()) await new Practice(client, vault, index).seed();
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
}

/** Of the page and of the Instagram account, as Meta would give them. */
const idsAtMeta = [
  { page: '104200000000001', instagram: '17841400000000001' },
  { page: '104299000000001', instagram: '17841499000000001' },
] as const;

/** What one doctor has. */
class Practice {
  private readonly slug: string;
  private readonly name: string;
  private readonly atMeta: (typeof idsAtMeta)[number];
  private doctorId = '';
  private staffId = '';
  private clinicId = '';

  constructor(
    private readonly client: pg.Client,
    private readonly vault: Vault,
    private readonly index: number,
  ) {
    const { slug, clinics } = demoOrganisations[index] ?? demoOrganisations[0];
    this.slug = slug;
    this.name = clinics[0];
    this.atMeta = idsAtMeta[index] ?? idsAtMeta[0];
  }

  /** Nothing, where the demo's people have gone. */
  async seed(): Promise<void> {
    const addresses = [demoAddress('provider', this.slug), demoAddress('staff', this.slug)];
    const { rows } = await this.client.query<{ doctor: string; staff: string; clinic: string }>(people, addresses);
    const [found] = rows;
    if (!found) return;
    [this.doctorId, this.staffId, this.clinicId] = [found.doctor, found.staff, found.clinic];
    await this.client.query(settings, [this.doctorId, this.name]);
    await this.client.query(formerConnection, [this.doctorId, this.clinicId, this.atMeta.page, this.name]);
    for (const conversation of demoConversations) await this.addConversation(conversation);
    for (const [index, lead] of demoLeads.entries()) await this.addLead(lead, index + 1);
  }

  private async addConversation(conversation: Conversation): Promise<void> {
    const { channel, name, status, unread, isAssigned, lines } = conversation;
    const { page, instagram } = this.atMeta;
    const id = uuidv7();
    const participantId = demoParticipantId(this.index, conversation);
    await this.client.query(newConversation, [
      ...[id, this.doctorId, this.clinicId, channel, channel === 'messenger' ? page : instagram, participantId],
      ...[name, status, isAssigned ? this.staffId : null, unread],
      ...[lines.at(-1)?.minutesAgo, lines.findLast(({ direction }) => direction === 'in')?.minutesAgo],
    ]);
    for (const line of lines) await this.addMessage(id, channel, line);
  }

  private async addMessage(conversationId: string, channel: string, line: Line): Promise<void> {
    const id = uuidv7();
    const sealed = (column: string, plain: string | undefined) =>
      plain === undefined ? null : this.vault.seal(plain, { table: 'public.messages', column, rowId: id });
    const attachments = line.picture && JSON.stringify([{ type: 'image', url: line.picture }]);
    await this.client.query(newMessage, [
      ...[id, this.doctorId, conversationId, channel, line.direction, line.kind ?? 'message'],
      ...[line.status === 'failed' ? null : `demo-${id}`, sealed('text_sealed', line.text)],
      ...[sealed('attachments_sealed', attachments), line.sentBy ?? null],
      ...[line.sentBy === 'user' ? this.doctorId : null, line.status, line.errorCode ?? null],
      ...[line.reaction ?? null, line.isDeleted ?? false, line.minutesAgo],
    ]);
  }

  private async addLead(lead: (typeof demoLeads)[number], number: number): Promise<void> {
    const id = uuidv7();
    const place = { table: 'public.comment_leads', column: 'comment_sealed', rowId: id };
    const { instagram } = this.atMeta;
    await this.client.query(newLead, [
      ...[id, this.doctorId, this.clinicId, instagram, `17990${instagram.slice(6)}${number}`],
      ...[`18050${instagram.slice(6)}${number}`, `12388${instagram.slice(6)}${number}`],
      ...[lead.username, this.vault.seal(lead.text, place), lead.state, lead.hoursAgo],
    ]);
    for (const kind of lead.replies)
      await this.client.query(newReply, [this.doctorId, id, kind, `demo-${kind}-${id}`, lead.hoursAgo]);
  }
}

const people = `
  SELECT d.id AS doctor, s.id AS staff, r.clinic_id AS clinic
    FROM public.profiles d
    JOIN public.user_clinic_roles r ON r.user_id = d.id AND r.role = 'provider'
    JOIN public.profiles s ON s.email = $2
   WHERE d.email = $1 ORDER BY r.clinic_id LIMIT 1`;

const settings = `
  INSERT INTO public.doctor_settings (doctor_id, practice_name, specialty, address_summary, appointment_fee_minor,
    appointment_fee_currency, country, time_zone, business_hours, min_advance_hours, cancellation_policy_hours,
    welcome_message, away_message, lead_public_reply, lead_private_reply)
  VALUES ($1, $2, 'Endodontics', split_part($2, ' ', 1) || ' 1, two minutes from the station', 8000, 'EUR', 'DE',
    'Europe/Berlin', (
      SELECT jsonb_object_agg(day, '[{"from": "08:00", "to": "12:00"}, {"from": "13:00", "to": "17:30"}]'::jsonb)
        FROM unnest(ARRAY['monday', 'tuesday', 'wednesday', 'thursday', 'friday']) day
    ), 12, 24, 'Good day! You have reached ' || $2 || '. We answer within the hour.',
    'We are closed now, and answer in the morning. In an emergency please ring 112.',
    'Thank you! We have sent you a message.', 'Hello! When would you like to come?')
  ON CONFLICT DO NOTHING`;

const formerConnection = `
  INSERT INTO public.messenger_connections (owner_id, clinic_id, page_id, page_name, connected_at, is_active,
    last_dm_success_at)
  VALUES ($1, $2, $3, $4, now() - interval '90 days', false, now() - interval '1 day')
  ON CONFLICT DO NOTHING`;

const newConversation = `
  INSERT INTO public.conversations (id, owner_id, clinic_id, channel, page_id, participant_id, participant_name, named_at,
    status, assigned_to, unread_count, last_message_at, last_customer_message_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, now(), $8, $9, $10, now() - $11 * interval '1 minute',
    now() - $12 * interval '1 minute')`;

const newMessage = `
  INSERT INTO public.messages (id, owner_id, conversation_id, channel, direction, kind, platform_message_id, text_sealed,
    attachments_sealed, sent_by, sent_by_user_id, status, error_code, reaction, deleted_at, platform_timestamp)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, CASE WHEN $15 THEN now() END,
    now() - $16 * interval '1 minute')`;

const newLead = `
  INSERT INTO public.comment_leads (id, owner_id, clinic_id, page_id, media_id, comment_id, commenter_id, username,
    comment_sealed, state, commented_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() - $11 * interval '1 hour')`;

const newReply = `
  INSERT INTO public.comment_replies (owner_id, lead_id, kind, status, platform_id, asked_at, sent_at)
  VALUES ($1, $2, $3, 'sent', $4, now() - $5 * interval '1 hour', now() - $5 * interval '1 hour')`;
