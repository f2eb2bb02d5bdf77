import { createHash, randomUUID } from 'node:crypto';
import { decodeJwt } from 'jose';
import pg from 'pg';
import type { QueryRunner } from 'typeorm';
import { declareAccess } from '../../migrations/support/declare-access.js';
import { demoAddress, demoAdmin, demoPassword } from '../../src/demo/demo.js';
import { Audit, type RecordRead } from '../../src/kernel/audit/audit.js';
import { Database } from '../../src/kernel/tenancy/database.js';
import type { RequestContext } from '../../src/kernel/tenancy/request-context.js';
import { Transactions } from '../../src/kernel/tenancy/transactions.js';
import { signed } from '../emulators/meta/callbacks.js';
import { Browser, newcomer, newVerifier, sdkToken } from '../support/facebook.js';
import { type Google, startGoogle } from '../support/google.js';
import { formOf } from '../support/imports.js';
import { type Mailbox, openMailbox } from '../support/mailbox.js';
import {
  insertConnection,
  insertConversation,
  insertInstagram,
  insertLead,
  insertMessage,
} from '../support/messenger.js';
import { type ConnectRoutes, consentAs, personWithPages } from '../support/messenger-connect.js';
import { type Meta, startMeta } from '../support/meta.js';
import { routes } from '../support/routes.js';
import { type Answer, type Service, startService } from '../support/service.js';
import { insertAccount, insertPost } from '../support/social.js';

interface Person {
  id: string;
  token: string;
  sessionId: string;
  refreshToken: string;
}

interface Event {
  id: string;
  actor_id: string | null;
  database_role: string;
  session_id: string | null;
  table_name: string;
  action: string;
  row_id: string | null;
  organisation_id: string | null;
  clinic_id: string | null;
  changes: Record<string, unknown[]> | null;
}

let service: Service;
let google: Google;
let meta: Meta;
let mailbox: Mailbox;
let owner: Person;
let admin: Person;
let clinicId: string;
let organisationId: string;

beforeAll(async () => {
  google = await startGoogle();
  meta = await startMeta();
  mailbox = await openMailbox();
  const variables = { SMTP_URL: mailbox.smtpUrl, ...google.variables, ...meta.variables };
  service = await startService({ withWorker: true, variables });
  owner = await logIn(demoAddress('owner', 'northside'));
  admin = await logIn(demoAdmin);
  const viewer = await as('viewer');
  const [clinic] = (await service.call('GET', '/clinics', { token: viewer })).body.data;
  clinicId = clinic.id;
  organisationId = clinic.organisationId;
});
afterAll(async () => {
  await service.stop();
  await mailbox.stop();
  await google.stop();
  await meta.stop();
});

const password = 'correct horse battery';
const account = { password, firstName: 'Ada', lastName: 'Byron' };
const as = (role: string, slug = 'northside') => service.tokenOf(demoAddress(role, slug));
const newAddress = () => `${randomUUID()}@people.example`;

async function logIn(email: string, secret = demoPassword): Promise<Person> {
  const { body } = await service.call('POST', '/auth/login', { body: { email, password: secret } });
  const sessionId = String(decodeJwt(body.accessToken).sid);
  return { id: body.user.id, token: body.accessToken, sessionId, refreshToken: body.refreshToken };
}
async function newPerson(): Promise<Person & { email: string }> {
  const email = newAddress();
  await service.call('POST', '/auth/register', { body: { ...account, email } });
  return { ...(await logIn(email, password)), email };
}
async function newClinic(inside = organisationId): Promise<string> {
  const body = { name: `Clinic ${randomUUID()}`, timeZone: 'Europe/Berlin', currency: 'EUR' };
  return (await service.call('POST', `/organisations/${inside}/clinics`, { token: owner.token, body })).body.id;
}
function eventsOf(requestId: string): Promise<Event[]> {
  return service.database.sql<Event & pg.QueryResultRow>(
    'SELECT * FROM audit.events WHERE request_id = $1 ORDER BY occurred_at, id',
    [requestId],
  );
}

/** What each writing route leaves, in any order. Nothing is left where a table declares `audit: false`, with its reason. */
const traces: Record<string, string[]> = {
  register: ['insert auth.users', 'insert public.profiles', 'update public.profiles'],
  logIn: ['update auth.users'],
  verifyEmail: ['update auth.users'],
  resetPassword: ['update auth.users'],
  changePassword: ['update auth.users'],
  exchangeFacebookCode: [
    ...['insert auth.identities', 'insert auth.users', 'insert public.profiles'],
    ...['update auth.users', 'update public.profiles'],
  ],
  linkFacebook: ['insert auth.identities'],
  logInWithFacebookToken: ['update auth.users'],
  receiveFacebookDataDeletion: [],
  receiveFacebookDeauthorization: [],
  receiveMetaWebhook: [],
  unlinkFacebook: ['delete auth.identities'],
  resendVerification: [],
  forgotPassword: [],
  refreshTokens: [],
  logOut: [],
  logOutEverywhere: [],
  endSession: [],
  updateMe: ['update public.profiles'],
  updateUser: ['update public.profiles'],
  disableUser: ['update auth.users'],
  enableUser: ['update auth.users'],
  deleteUser: ['delete auth.users', 'update public.profiles', 'update public.user_clinic_roles'],
  createOrganisation: ['insert public.organisation_members', 'insert public.organisations'],
  updateOrganisation: ['update public.organisations'],
  deleteOrganisation: ['delete public.organisation_members', 'delete public.organisations'],
  addOrganisationMember: ['insert public.organisation_members'],
  updateOrganisationMember: ['update public.organisation_members'],
  removeOrganisationMember: ['delete public.organisation_members'],
  createClinic: ['insert public.clinics'],
  updateClinic: ['update public.clinics'],
  deleteClinic: ['delete public.clinics', 'delete public.invitations', 'delete public.user_clinic_roles'],
  addClinicMember: ['insert public.user_clinic_roles'],
  updateClinicMember: ['update public.user_clinic_roles'],
  removeClinicMember: ['delete public.user_clinic_roles'],
  inviteToClinic: ['insert public.invitations'],
  revokeClinicInvitation: ['update public.invitations'],
  inviteToOrganisation: ['insert public.invitations'],
  revokeOrganisationInvitation: ['update public.invitations'],
  acceptInvitation: [
    ...['insert auth.users', 'insert public.profiles', 'insert public.user_clinic_roles'],
    ...['update public.invitations', 'update public.profiles'],
  ],
  cancelImport: ['update public.imports'],
  createImport: ['insert public.imports'],
  pushRows: ['insert public.imports'],
  undoImport: ['update public.imports'],
  // A fact says by itself who entered it, and when.
  createFinancialMetric: [],
  createFinancialMetrics: [],
  updateFinancialMetric: ['update public.financial_metrics'],
  deleteFinancialMetric: ['delete public.financial_metrics'],
  createAppointmentMetric: [],
  createAppointmentMetrics: [],
  updateAppointmentMetric: ['update public.appointment_metrics'],
  deleteAppointmentMetric: ['delete public.appointment_metrics'],
  createCallMetric: [],
  createCallMetrics: [],
  updateCallMetric: ['update public.call_metrics'],
  deleteCallMetric: ['delete public.call_metrics'],
  createPatientMetric: [],
  createPatientMetrics: [],
  updatePatientMetric: ['update public.patient_metrics'],
  deletePatientMetric: ['delete public.patient_metrics'],
  createClinicMetricDefinition: ['insert public.metric_definitions'],
  updateClinicMetricDefinition: ['update public.metric_definitions'],
  deleteClinicMetricDefinition: ['delete public.metric_definitions'],
  createSystemMetricDefinition: ['insert public.metric_definitions'],
  updateSystemMetricDefinition: ['update public.metric_definitions'],
  deleteSystemMetricDefinition: ['delete public.metric_definitions'],
  createMapping: ['insert public.column_mappings'],
  proposeMapping: [],
  updateMapping: ['update public.column_mappings'],
  deleteMapping: ['delete public.column_mappings'],
  connectGoogle: [],
  // The tokens come into it in a transaction of the service's own.
  finishGoogle: ['insert public.google_credentials'],
  createSpreadsheetConnection: ['insert public.spreadsheet_connections'],
  updateSpreadsheetConnection: ['update public.spreadsheet_connections'],
  previewSheet: [],
  syncSpreadsheet: [],
  disconnectGoogle: ['delete public.google_credentials', 'update public.spreadsheet_connections'],
  deleteSpreadsheetConnection: ['delete public.spreadsheet_connections'],
  connectSocialAccount: [],
  // The tokens come into them in a transaction of the service's own.
  chooseSocialAccounts: ['insert public.social_media_accounts', 'insert public.social_media_accounts'],
  refreshSocialAccount: [],
  disconnectSocialAccount: ['update public.social_media_accounts'],
  createSocialPost: ['insert public.social_media_posts'],
  updateSocialPost: ['update public.social_media_posts'],
  deleteSocialPost: ['update public.social_media_posts'],
  duplicateSocialPost: ['insert public.social_media_posts'],
  scheduleSocialPost: ['update public.social_media_posts'],
  unscheduleSocialPost: ['update public.social_media_posts'],
  publishSocialPost: ['update public.social_media_posts'],
  retrySocialPost: ['update public.social_media_posts'],
  createSocialVideo: ['insert public.social_media_videos'],
  updateSocialVideo: ['update public.social_media_videos'],
  deleteSocialVideo: ['delete public.social_media_videos', 'update public.social_media_posts'],
  updateDoctorSettings: ['insert public.doctor_settings', 'update public.doctor_settings'],
  readConversation: ['update public.conversations'],
  updateConversation: ['update public.conversations'],
  sendMessage: ['insert public.messages'],
  retryMessage: ['insert public.messages'],
  updateLead: ['update public.comment_leads'],
  replyToLeadPublicly: ['insert public.comment_replies'],
  replyToLeadPrivately: ['insert public.comment_replies'],
  pauseInstagram: ['update public.doctor_settings'],
  resumeInstagram: ['update public.doctor_settings'],
  chooseInstagram: ['insert public.doctor_instagram'],
  chooseMessengerPage: ['insert public.messenger_connections'],
  disconnectInstagram: ['delete public.doctor_instagram'],
  disconnectMessengerPage: ['update public.messenger_connections'],
  pauseMessengerPage: ['update public.messenger_connections'],
  resumeMessengerPage: ['update public.messenger_connections'],
  createProvider: ['insert public.providers'],
  updateProvider: ['update public.providers'],
  deleteProvider: ['delete public.providers'],
  createDashboard: [],
  updateDashboard: [],
  deleteDashboard: [],
  createWidget: [],
  updateWidget: [],
  deleteWidget: [],
  createGoal: ['insert public.goals'],
  createGoalsFromTemplate: ['insert public.goals'],
  updateGoal: ['update public.goals'],
  deleteGoal: ['delete public.goals'],
  createGoalTemplate: ['insert public.goal_templates'],
  updateGoalTemplate: ['update public.goal_templates'],
  deleteGoalTemplate: ['delete public.goal_templates', 'update public.goals'],
  createSystemGoalTemplate: ['insert public.goal_templates'],
  updateSystemGoalTemplate: ['update public.goal_templates'],
  deleteSystemGoalTemplate: ['delete public.goal_templates'],
  setClinicDefaultDashboard: ['insert public.clinic_default_dashboards'],
  endClinicDefaultDashboard: ['delete public.clinic_default_dashboards'],
  setReportSubscriptions: ['insert public.report_subscriptions', 'insert public.report_subscriptions'],
  endReportSubscriptions: ['delete public.report_subscriptions', 'delete public.report_subscriptions'],
  replayWebhookEvent: [],
  replayWebhookEvents: [],
  retryJob: [],
};
const traced = new Set<string>();

interface Write {
  by?: Person;
  ids?: Record<string, string>;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Calls a route and compares what it left with the table above; each event says who, as what, from where, by which route. */
async function trace(
  operationId: string,
  { by, ids = {}, body, headers }: Write = {},
): Promise<{ body: Answer['body']; events: Event[] }> {
  const route = routes.find(({ id }) => id === operationId);
  if (!route) throw new Error(`There is no route ${operationId}.`);
  const requestId = `audit-${randomUUID()}`;
  const path = route.path.replace('/api/v1', '').replace(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? '');
  const options = {
    headers: { ...headers, 'x-request-id': requestId },
    ...(by && { token: by.token }),
    ...(body !== undefined && { body }),
  };
  const answer = await service.call(route.method, path, options);
  if (answer.status >= 300) throw new Error(`${operationId}: ${answer.text}`);
  const all = await eventsOf(requestId);
  const databaseRole = by ? (by === admin ? 'super_admin' : 'authenticated') : 'anon';
  const where = { route: `${route.method} ${route.path.replace(/\{(\w+)\}/g, ':$1')}`, address: '127.0.0.1' };
  const who = { actor_id: by?.id ?? null, session_id: by?.sessionId ?? null, database_role: databaseRole };
  for (const event of all) expect(event).toMatchObject({ ...who, ...where, request_id: requestId });
  const events = all.filter(({ action }) => action !== 'access');
  expect(all).toHaveLength(events.length + (by === admin ? 1 : 0));
  expect(events.map(({ action, table_name }) => `${action} ${table_name}`).sort()).toEqual(traces[operationId]);
  traced.add(operationId);
  return { body: answer.body, events };
}

describe('A write through the API leaves its trace', () => {
  it('when somebody makes an account, proves the address, logs in and out', async () => {
    const email = newAddress();
    await trace('register', { body: { ...account, email } });
    await trace('verifyEmail', { body: { token: (await mailbox.next(email)).token } });
    const person = await logIn(email, password);
    await trace('logIn', { body: { email, password } });
    await trace('refreshTokens', { body: { refreshToken: person.refreshToken } });
    await trace('updateMe', { by: person, body: { firstName: 'Grace' } });
    await trace('resendVerification', { by: person });
    await trace('changePassword', { by: person, body: { currentPassword: password, newPassword: 'another phrase' } });
    await trace('forgotPassword', { body: { email } });
    const { token } = await mailbox.next(email).then(() => mailbox.next(email));
    await trace('resetPassword', { body: { token, password } });
    const again = await logIn(email, password);
    await trace('endSession', { by: again, ids: { sessionId: (await logIn(email, password)).sessionId } });
    await trace('logOut', { by: again });
    await trace('logOutEverywhere', { by: await logIn(email, password) });
  });

  it('when somebody logs in with Facebook, links an account with it and unlinks it, and when Meta calls', async () => {
    const [browser, person, other] = [new Browser(service, meta), await newcomer(meta), await newcomer(meta)];
    const { events } = await trace('exchangeFacebookCode', { body: { code: await browser.code(person) } });
    const made = events.find(({ table_name }) => table_name === 'auth.identities');
    expect(made?.changes).toMatchObject({ provider: [null, 'facebook'], provider_user_id: ['***', '***'] });
    await trace('logInWithFacebookToken', { body: { accessToken: await sdkToken(meta, person) } });
    const { codeVerifier, codeChallenge } = newVerifier();
    const by = await newPerson();
    await trace('linkFacebook', { by, body: { code: await browser.code(other, { codeChallenge }), codeVerifier } });
    await trace('unlinkFacebook', { by });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const kind of ['Deauthorization', 'DataDeletion']) {
      const body = `signed_request=${await meta.signedRequest(other.id)}`;
      await trace(`receiveFacebook${kind}`, { headers, body });
    }
  });

  it('when an admin changes, disables, enables and deletes somebody', async () => {
    const person = await newPerson();
    const ids = { userId: person.id };
    const body = { userId: person.id, role: 'staff' };
    await service.call('POST', `/clinics/${clinicId}/members`, { token: owner.token, body });
    const { events } = await trace('updateUser', { by: admin, ids, body: { userType: 'developer' } });
    expect(events[0]).toMatchObject({ row_id: person.id, changes: { user_type: ['patient', 'developer'] } });
    await trace('disableUser', { by: admin, ids });
    await trace('enableUser', { by: admin, ids });
    await trace('deleteUser', { by: admin, ids });
  });

  it('when an organisation, a clinic and their members come and go', async () => {
    const person = await newPerson();
    const founded = await trace('createOrganisation', { by: owner, body: { name: 'To be traced' } });
    const ids: Record<string, string> = { organisationId: founded.body.id, userId: person.id };
    for (const event of founded.events) expect(event.organisation_id).toBe(founded.body.id);
    await trace('updateOrganisation', { by: owner, ids, body: { name: 'Traced' } });
    await trace('addOrganisationMember', { by: owner, ids, body: { userId: person.id, role: 'member' } });
    await trace('updateOrganisationMember', { by: owner, ids, body: { role: 'manager' } });
    await trace('removeOrganisationMember', { by: owner, ids });
    const place = { name: 'Traced', timeZone: 'Europe/Berlin', currency: 'EUR' };
    ids.clinicId = (await trace('createClinic', { by: owner, ids, body: place })).body.id;
    const moved = await trace('updateClinic', { by: owner, ids, body: { location: 'Here' } });
    const scope = { row_id: ids.clinicId, clinic_id: ids.clinicId, organisation_id: ids.organisationId };
    expect(moved.events[0]).toMatchObject({ ...scope, changes: { location: [null, 'Here'] } });
    await trace('addClinicMember', { by: owner, ids, body: { userId: person.id, role: 'staff' } });
    const promoted = await trace('updateClinicMember', { by: owner, ids, body: { role: 'provider' } });
    const { clinic_id, organisation_id } = scope;
    expect(promoted.events[0]).toMatchObject({ clinic_id, organisation_id, changes: { role: ['staff', 'provider'] } });
    await trace('removeClinicMember', { by: owner, ids });
    await trace('addClinicMember', { by: owner, ids, body: { userId: person.id, role: 'staff' } });
    await trace('inviteToClinic', { by: owner, ids, body: { email: newAddress(), role: 'viewer' } });
    await trace('deleteClinic', { by: owner, ids });
    await trace('deleteOrganisation', { by: owner, ids });
  });

  it('when people are invited, are not invited any more, and come', async () => {
    const ids: Record<string, string> = { clinicId, organisationId };
    const email = newAddress();
    await trace('inviteToClinic', { by: owner, ids, body: { email, role: 'viewer' } });
    await trace('acceptInvitation', { body: { token: (await mailbox.next(email)).token, account } });
    for (const kind of ['Clinic', 'Organisation']) {
      const role = kind === 'Clinic' ? 'viewer' : 'member';
      const { body } = await trace(`inviteTo${kind}`, { by: owner, ids, body: { email: newAddress(), role } });
      await trace(`revoke${kind}Invitation`, { by: owner, ids: { ...ids, invitationId: body.id } });
    }
  });

  it('when a provider is added, changed and removed, with each column from old to new', async () => {
    const made = await trace('createProvider', {
      by: owner,
      ids: { clinicId },
      body: { name: 'Dr. A', specialty: 'Surgery' },
    });
    const scope = { row_id: made.body.id, clinic_id: clinicId, organisation_id: organisationId };
    expect(made.events[0]).toMatchObject({
      ...scope,
      changes: { name: [null, 'Dr. A'], specialty: [null, 'Surgery'] },
    });
    const ids = { clinicId, providerId: made.body.id };
    const changed = await trace('updateProvider', {
      by: owner,
      ids,
      body: { name: 'Dr. B', specialty: null, status: 'active' },
    });
    expect(changed.events[0]).toMatchObject(scope);
    expect(changed.events[0]?.changes).toEqual({ name: ['Dr. A', 'Dr. B'], specialty: ['Surgery', null] });
    const removed = await trace('deleteProvider', { by: owner, ids });
    expect(removed.events[0]).toMatchObject({
      ...scope,
      changes: { name: ['Dr. B', null], clinic_id: [clinicId, null] },
    });
  });

  it.each([
    ['FinancialMetric', { metricType: 'production', amount: '10.00' }, { amount: '12.00' }, { amount: [10, 12] }],
    ['AppointmentMetric', { scheduledCount: 5 }, { scheduledCount: 6 }, { scheduled_count: [5, 6] }],
    ['CallMetric', { totalCalls: 5 }, { totalCalls: 6 }, { total_calls: [5, 6] }],
    ['PatientMetric', { newPatients: 5 }, { newPatients: 6 }, { new_patients: [5, 6] }],
  ])(
    'when a %s is changed or deleted by hand, with each column from old to new',
    async (kind, fact, change, changes) => {
      const entered = { date: '2026-01-05', ...fact };
      await trace(`create${kind}s`, { by: owner, ids: { clinicId }, body: { items: [entered] } });
      const factId = (await trace(`create${kind}`, { by: owner, ids: { clinicId }, body: entered })).body.id;
      const ids = { clinicId, factId };
      const { events } = await trace(`update${kind}`, { by: owner, ids, body: change });
      expect(events[0]).toMatchObject({ row_id: factId, clinic_id: clinicId, organisation_id: organisationId });
      expect(events[0]?.changes).toMatchObject(changes);
      await trace(`delete${kind}`, { by: owner, ids });
    },
  );

  it('when a metric is defined, changed and deleted, by a clinic or for all', async () => {
    const definition = {
      code: 'traced',
      name: 'Traced',
      dataType: 'decimal',
      category: 'own',
      calculationFormula: 'calls * 2',
    };
    for (const [whose, by] of [['Clinic', owner] as const, ['System', admin] as const]) {
      const body = { ...definition, code: `traced_${whose.toLowerCase()}` };
      const definitionId = (await trace(`create${whose}MetricDefinition`, { by, ids: { clinicId }, body })).body.id;
      const ids = { clinicId, definitionId };
      const { events } = await trace(`update${whose}MetricDefinition`, { by, ids, body: { name: 'Traced again' } });
      expect(events[0]?.changes).toEqual({ name: ['Traced', 'Traced again'] });
      await trace(`delete${whose}MetricDefinition`, { by, ids });
    }
  });

  it('when somebody arranges dashboards, marks the clinic’s, and subscribes to reports', async () => {
    const ids: Record<string, string> = { clinicId };
    const board = { name: 'Traced', isShared: true };
    ids.dashboardId = (await trace('createDashboard', { by: owner, ids, body: board })).body.id;
    const config = { metrics: ['production'], granularity: 'daily', range: 'last_7_days' };
    const widget = { kind: 'number', title: 'Production', config };
    ids.widgetId = (await trace('createWidget', { by: owner, ids, body: widget })).body.id;
    await trace('updateWidget', { by: owner, ids, body: { title: 'Produced' } });
    await trace('updateDashboard', { by: owner, ids, body: { name: 'Traced again' } });
    const { dashboardId } = ids;
    const marked = await trace('setClinicDefaultDashboard', { by: owner, ids, body: { dashboardId } });
    expect(marked.events[0]).toMatchObject({ clinic_id: clinicId, organisation_id: organisationId });
    const options = { token: owner.token, headers: { 'x-request-id': `audit-${randomUUID()}` } };
    const other = await service.call('POST', `/clinics/${clinicId}/dashboards`, { ...options, body: board });
    const path = `/clinics/${clinicId}/dashboards/clinic-default`;
    await service.call('PUT', path, { ...options, body: { dashboardId: other.body.id } });
    expect(await eventsOf(options.headers['x-request-id'])).toMatchObject([
      { action: 'update', row_id: clinicId, changes: { dashboard_id: [dashboardId, other.body.id] } },
    ]);
    await trace('endClinicDefaultDashboard', { by: owner, ids });
    await trace('deleteWidget', { by: owner, ids });
    await trace('deleteDashboard', { by: owner, ids });
    const body = { weekly: true, monthly: true };
    const { events } = await trace('setReportSubscriptions', { by: owner, ids, body });
    expect(events[0]).toMatchObject({ clinic_id: clinicId, changes: { user_id: [null, owner.id] } });
    await trace('endReportSubscriptions', { by: owner, ids });
  });

  it('when facts are imported and taken back, and mappings are saved: of the facts the import is the trace', async () => {
    const ids: Record<string, string> = { clinicId };
    const columns = [
      { column: 'Day', field: 'date' },
      { column: 'Total', field: 'amount' },
    ];
    const mapping = { columns, constants: { metricType: 'production' } };
    const table = 'financial_metrics';
    const form = formOf({ fields: { table, mapping }, content: 'Day,Total\n2026-01-05,1\n' });
    const made = await trace('createImport', { by: owner, ids, body: form });
    expect(made.events[0]).toMatchObject({
      row_id: made.body.id,
      clinic_id: clinicId,
      organisation_id: organisationId,
    });
    const pushed = { table, mapping, columns: ['Day', 'Total'], rows: [['2026-01-06', 2]] };
    ids.importId = (await trace('pushRows', { by: owner, ids, body: pushed })).body.id;
    const undone = await trace('undoImport', { by: owner, ids });
    expect(undone.events[0]?.changes).toMatchObject({ status: ['done', 'undoing'], undone_by: [null, owner.id] });
    const [waiting] = await service.database.sql<{ id: string }>(
      `INSERT INTO imports (clinic_id, source, name, format, target_table, mode, mapping, status)
       VALUES ($1, 'file', 'x', 'csv', $2, 'upsert', '{}', 'queued') RETURNING id`,
      [clinicId, table],
    );
    await trace('cancelImport', { by: owner, ids: { ...ids, importId: String(waiting?.id) } });
    ids.mappingId = (
      await trace('createMapping', { by: owner, ids, body: { name: 'Traced', table, mapping } })
    ).body.id;
    await trace('updateMapping', { by: owner, ids, body: { name: 'Traced again' } });
    await trace('deleteMapping', { by: owner, ids });
    await trace('proposeMapping', { by: owner, ids, body: { table, rows: [['Day', 'Total']] } });
  });

  it('when goals are set, by hand or from templates, changed and deleted', async () => {
    const ids: Record<string, string> = { clinicId };
    const plan = { metric: 'calls', timePeriod: 'weekly' };
    const goal = { ...plan, startDate: '2026-03-02', targetValue: '500' };
    ids.goalId = (await trace('createGoal', { by: owner, ids, body: goal })).body.id;
    const { events } = await trace('updateGoal', { by: owner, ids, body: { targetValue: '600' } });
    expect(events[0]).toMatchObject({ row_id: ids.goalId, clinic_id: clinicId, changes: { target_value: [500, 600] } });
    await trace('deleteGoal', { by: owner, ids });
    const template = { ...plan, name: 'Traced', targetFormula: '500' };
    ids.templateId = (await trace('createGoalTemplate', { by: owner, ids, body: template })).body.id;
    await trace('updateGoalTemplate', { by: owner, ids, body: { targetFormula: '600' } });
    const body = { templateId: ids.templateId, startDate: '2026-03-02', forProviders: null };
    await trace('createGoalsFromTemplate', { by: owner, ids, body });
    await trace('deleteGoalTemplate', { by: owner, ids });
    ids.templateId = (await trace('createSystemGoalTemplate', { by: admin, body: template })).body.id;
    await trace('updateSystemGoalTemplate', { by: admin, ids, body: { targetFormula: '600' } });
    await trace('deleteSystemGoalTemplate', { by: admin, ids });
  });

  it('when a Google account and a spreadsheet are connected, changed and disconnected', async () => {
    const ids: Record<string, string> = { clinicId };
    const email = 'owner@practice.example';
    await google.person(email);
    const sheets = [{ title: 'Sheet1', rows: [['Date', 'Amount']] }];
    await google.spreadsheet({ id: 'a-traced-spreadsheet', name: 'Traced', owner: email, sheets });
    const begun = await trace('connectGoogle', { by: owner, ids, body: {} });
    const { state, code } = Object.fromEntries(await google.consent(begun.body.authorizationUrl, { email }));
    const finished = await trace('finishGoogle', { by: owner, ids, body: { state, code } });
    expect(finished.events[0]).toMatchObject({ clinic_id: clinicId, organisation_id: organisationId });
    const made = { spreadsheetId: 'a-traced-spreadsheet', sheetNames: ['Sheet1'] };
    ids.connectionId = (await trace('createSpreadsheetConnection', { by: owner, ids, body: made })).body.id;
    const changed = await trace('updateSpreadsheetConnection', { by: owner, ids, body: { name: 'Traced again' } });
    expect(changed.events[0]?.changes).toEqual({ name: ['Traced', 'Traced again'] });
    await trace('previewSheet', { by: owner, ids, body: { sheet: 'Sheet1', table: 'financial_metrics' } });
    await trace('syncSpreadsheet', { by: owner, ids });
    await trace('disconnectGoogle', { by: owner, ids: { ...ids, credentialId: finished.body.id } });
    await trace('deleteSpreadsheetConnection', { by: owner, ids });
  });

  it('when social accounts are connected, refreshed and disconnected', async () => {
    const personId = await meta.person('Connector');
    const pages = await Promise.all(['One', 'Two'].map((name) => meta.page({ personId, name })));
    const ids: Record<string, string> = { organisationId, platform: 'facebook' };
    const begun = await trace('connectSocialAccount', { by: owner, ids });
    const query = await meta.consent(begun.body.authorizationUrl, { personId });
    const callback = `/organisations/${organisationId}/social/connect/callback?${query}`;
    const { pending } = (await service.call('GET', callback, { token: owner.token })).body;
    const body = { choices: pages.map(({ id }) => id) };
    const chosen = await trace('chooseSocialAccounts', { by: owner, ids: { ...ids, pendingId: pending.id }, body });
    ids.accountId = chosen.body.data[0].id;
    await trace('refreshSocialAccount', { by: owner, ids });
    const { events } = await trace('disconnectSocialAccount', { by: owner, ids });
    expect(events[0]).toMatchObject({
      ...{ row_id: ids.accountId, organisation_id: organisationId },
      changes: { status: ['active', 'disconnected'], access_token_sealed: ['***', '***'] },
    });
  });

  it('when posts are drafted, scheduled, tried again and deleted, and their videos with them', async () => {
    const ids: Record<string, string> = { organisationId };
    const by = owner;
    ids.videoId = (await trace('createSocialVideo', { by, ids, body: { prompt: 'Braces' } })).body.id;
    await trace('updateSocialVideo', { by, ids, body: { prompt: 'Braces in a minute' } });
    const socialAccountId = await insertAccount(service.database, organisationId);
    const body = { socialAccountId, contentId: ids.videoId, caption: 'Open on Saturday' };
    ids.postId = (await trace('createSocialPost', { by, ids, body })).body.id;
    await trace('deleteSocialVideo', { by, ids });
    await trace('updateSocialPost', { by, ids, body: { contentType: 'image' } });
    const localTime = new Date(Date.now() + 86_400_000).toISOString().slice(0, 16);
    const { events } = await trace('scheduleSocialPost', { by, ids, body: { localTime, timeZone: 'UTC' } });
    expect(events[0]).toMatchObject({ row_id: ids.postId, changes: { status: ['draft', 'queued'] } });
    await trace('unscheduleSocialPost', { by, ids });
    await trace('duplicateSocialPost', { by, ids });
    await trace('deleteSocialPost', { by, ids });
    const words = { content_url: null, caption: 'Words' };
    ids.postId = await insertPost(service.database, socialAccountId, words);
    await trace('publishSocialPost', { by, ids });
    ids.postId = await insertPost(service.database, socialAccountId, { ...words, status: 'failed' });
    await trace('retrySocialPost', { by, ids, body: {} });
  });

  it('when somebody reads a conversation and closes it, without a word of it', async () => {
    const by = await logIn(demoAddress('provider', 'northside'));
    const conversationId = await insertConversation(service.database, by.id, { unread_count: 1, clinic_id: clinicId });
    await insertMessage(service, conversationId);
    const read = await trace('readConversation', { by, ids: { conversationId } });
    expect(read.events).toMatchObject([
      { row_id: conversationId, clinic_id: clinicId, changes: { unread_count: [1, 0] } },
    ]);
    const closed = await trace('updateConversation', { by, ids: { conversationId }, body: { status: 'closed' } });
    expect(closed.events).toMatchObject([{ row_id: conversationId, changes: { status: ['open', 'closed'] } }]);
  });

  it('when somebody answers, and answers again in place of what failed: without a word of what they say', async () => {
    const by = await logIn(demoAddress('staff', 'southbank'));
    const { ownerId, pageId } = await insertConnection(service, demoAddress('staff', 'southbank'));
    const conversationId = await insertConversation(service.database, ownerId, { page_id: pageId });
    const sent = await trace('sendMessage', { by, ids: { conversationId }, body: { text: 'Words of a letter' } });
    expect(JSON.stringify(sent.events)).not.toContain('Words of a letter');
    const messageId = await insertMessage(service, conversationId, {
      ...{ text: 'Words that failed', direction: 'out', sent_by: 'user', sent_by_user_id: ownerId },
      ...{ status: 'failed', error_code: 'meta-refused', platform_message_id: null },
    });
    const again = await trace('retryMessage', { by, ids: { conversationId, messageId }, body: {} });
    expect(JSON.stringify(again.events)).not.toContain('Words that failed');
  });

  it('when somebody connects a page and an account for messages, pauses, and lets go of them', async () => {
    const by = await logIn(demoAddress('provider', 'northside'));
    const { personId, pages } = await personWithPages(meta, 2);
    const choiceOf = async (connectRoutes: ConnectRoutes) => {
      const email = demoAddress('provider', 'northside');
      return (await consentAs(service, meta, email, connectRoutes, { personId })).get('choose') ?? '';
    };
    const choiceId = await choiceOf('/messenger/pages');
    const chosen = await trace('chooseMessengerPage', { by, ids: { choiceId }, body: { choice: pages[0]?.id } });
    const ids = { pageConnectionId: chosen.body.id };
    expect(chosen.events).toMatchObject([
      { row_id: chosen.body.id, changes: { page_access_token_sealed: ['***', '***'], page_name: ['***', '***'] } },
    ]);
    await trace('pauseMessengerPage', { by, ids });
    await trace('resumeMessengerPage', { by, ids });
    const account = { choiceId: await choiceOf('/settings/instagram') };
    const { events } = await trace('chooseInstagram', { by, ids: account, body: { choice: pages[1]?.instagramId } });
    expect(events).toMatchObject([{ row_id: by.id, changes: { instagram_access_token_sealed: ['***', '***'] } }]);
    await trace('disconnectMessengerPage', { by, ids });
    await trace('disconnectInstagram', { by });
  });

  it('when somebody who commented is replied to and dismissed, without a word of it', async () => {
    const by = await logIn(demoAddress('provider', 'northside'));
    const { pageId } = await insertInstagram(service, demoAddress('provider', 'northside'));
    const ids = { leadId: await insertLead(service.database, by.id, { page_id: pageId, clinic_id: clinicId }) };
    for (const id of ['replyToLeadPublicly', 'replyToLeadPrivately']) {
      const { events } = await trace(id, { by, ids, body: { text: 'an unmistakable reply' } });
      expect(events).toMatchObject([{ changes: { lead_id: [null, ids.leadId], status: [null, 'pending'] } }]);
      expect(JSON.stringify(events)).not.toMatch(/unmistakable|v1\./);
    }
    const { events } = await trace('updateLead', { by, ids, body: { state: 'dismissed' } });
    expect(events).toMatchObject([
      { row_id: ids.leadId, clinic_id: clinicId, changes: { state: ['new', 'dismissed'] } },
    ]);
  });

  it('when a doctor sets what patients are told, pauses and resumes', async () => {
    const by = await logIn(demoAddress('provider', 'northside'));
    await trace('updateDoctorSettings', { by, body: { specialty: 'Surgery' } });
    const { events } = await trace('pauseInstagram', { by, body: {} });
    const changes = { instagram_receptionist_paused: [false, true] };
    expect(events).toMatchObject([{ row_id: by.id, changes }]);
    await trace('resumeInstagram', { by });
  });

  it('when an admin lets a job run again', async () => {
    const [job] = await service.database.sql<{ id: string }>(
      `WITH task AS (INSERT INTO graphile_worker._private_tasks (identifier) VALUES ('nobody.does-this') RETURNING id)
       INSERT INTO graphile_worker._private_jobs (task_id, attempts, max_attempts, last_error) SELECT id, 1, 1, 'x' FROM task RETURNING id`,
    );
    await trace('retryJob', { by: admin, ids: { jobId: String(job?.id) } });
  });

  it('when Meta delivers, and an admin lets events be processed again', async () => {
    const body = JSON.stringify({ object: 'page', entry: [] });
    await trace('receiveMetaWebhook', {
      headers: signed(Buffer.from(body), meta.variables.META_APP_SECRET ?? ''),
      body,
    });
    const [event] = await service.database.sql<{ id: string }>(
      `INSERT INTO webhook_events (object, page_id, lane, event_key, payload_sealed, state)
       VALUES ('page', '1', 1, 'of the test', 'sealed', 'failed') RETURNING id`,
    );
    await trace('replayWebhookEvent', { by: admin, ids: { eventId: event?.id ?? '' } });
    await trace('replayWebhookEvents', { by: admin, body: { state: 'failed' } });
  });

  it('whatever the route: all that write were tried above', () => {
    const writing = routes.filter(({ method }) => method !== 'GET').map(({ id }) => id);
    expect(Object.keys(traces).sort()).toEqual(writing.sort());
    expect([...traced].sort()).toEqual(writing);
  });
});

describe('No trace is left', () => {
  async function eventsAfter(
    method: string,
    path: string,
    token: string,
    body?: unknown,
    more = {},
  ): Promise<[number, Event[]]> {
    const headers = { 'x-request-id': `audit-${randomUUID()}`, ...more };
    const answer = await service.call(method, path, { token, headers, ...(body !== undefined && { body }) });
    return [answer.status, await eventsOf(headers['x-request-id'])];
  }

  it('by a change to what is there already, whoever makes it', async () => {
    const here = `/clinics/${clinicId}`;
    const provider = await service.call('POST', `${here}/providers`, {
      token: owner.token,
      body: { name: 'Dr. Same' },
    });
    const { body: clinic } = await service.call('GET', here, { token: owner.token });
    for (const token of [owner.token, await as('clinic_admin'), await as('manager')]) {
      expect(await eventsAfter('PATCH', here, token, { name: clinic.name, status: 'active' })).toEqual([200, []]);
      expect(await eventsAfter('PATCH', here, token, {})).toEqual([200, []]);
      const path = `${here}/providers/${provider.body.id}`;
      expect(await eventsAfter('PATCH', path, token, { name: 'Dr. Same' })).toEqual([200, []]);
    }
    expect(await eventsAfter('PATCH', '/auth/me', owner.token, { locale: 'en' })).toEqual([200, []]);
  });

  it('by a request that was refused after it had written', async () => {
    const there = await newClinic();
    const person = await newPerson();
    const member = { userId: person.id, role: 'clinic_admin' };
    await service.call('POST', `/clinics/${there}/members`, { token: owner.token, body: member });
    const taken = { name: 'Dr. Twice', npiNumber: '1245319599' };
    await service.call('POST', `/clinics/${there}/providers`, { token: owner.token, body: taken });
    const gone = await newPerson();
    await service.call('DELETE', `/users/${gone.id}`, { token: admin.token });
    const refused = [
      await eventsAfter('PATCH', `/users/${gone.id}`, admin.token, { firstName: 'Late' }),
      await eventsAfter('POST', `/clinics/${there}/providers`, owner.token, taken),
      await eventsAfter('PATCH', `/clinics/${there}/members/${person.id}`, owner.token, { isActive: false }),
      await eventsAfter('PATCH', `/clinics/${there}`, owner.token, { name: 'Late' }, { 'if-match': '"0"' }),
      await eventsAfter('POST', `/clinics/${there}/providers`, await as('viewer', 'southbank'), taken),
    ];
    expect(refused).toEqual([404, 409, 409, 412, 404].map((status) => [status, []]));
  });

  it('by a change that is rolled back with all that went before it', async () => {
    const requestId = `audit-${randomUUID()}`;
    const work = inRequest(owner, { requestId }, async (database) => {
      await database.query(`UPDATE public.clinics SET location = 'Nowhere' WHERE id = $1`, [clinicId]);
      throw new Error('after the write');
    });
    await expect(work).rejects.toThrow('after the write');
    expect(await eventsOf(requestId)).toEqual([]);
  });

  it('by a read, unless it is an admin’s', async () => {
    const path = `/clinics/${clinicId}`;
    expect(await eventsAfter('GET', path, owner.token)).toEqual([200, []]);
    const [status, events] = await eventsAfter('GET', path, admin.token);
    expect([status, events]).toMatchObject([200, [{ action: 'access', clinic_id: clinicId, actor_id: admin.id }]]);
  });
});

describe('What must not be known', () => {
  const digests = (secret: string) =>
    (['hex', 'base64', 'base64url'] as const).map((encoding) => createHash('sha256').update(secret).digest(encoding));
  async function passwordHash(id: string): Promise<string> {
    const [row] = await service.database.sql<{ hash: string }>(
      'SELECT password_hash AS hash FROM auth.users WHERE id = $1',
      [id],
    );
    return row?.hash ?? '';
  }
  async function linesWith(secret: string): Promise<number> {
    const [row] = await service.database.sql<{ lines: number }>(
      'SELECT count(*)::int AS lines FROM audit.events e WHERE strpos(e::text, $1) > 0',
      [secret],
    );
    return row?.lines ?? -1;
  }

  it('is in no line after passwords were changed and reset, and tokens mailed and rotated', async () => {
    const person = await newPerson();
    const secrets = [await passwordHash(person.id), person.token, person.refreshToken];
    const verification = await mailbox.next(person.email);
    const refreshed = await service.call('POST', '/auth/refresh', { body: { refreshToken: person.refreshToken } });
    const change = { currentPassword: password, newPassword: 'the second phrase' };
    await service.call('POST', '/auth/password/change', { token: person.token, body: change });
    secrets.push(await passwordHash(person.id), refreshed.body.refreshToken);
    await mailbox.next(person.email);
    await service.call('POST', '/auth/password/forgot', { body: { email: person.email } });
    const reset = await mailbox.next(person.email);
    await service.call('POST', '/auth/password/reset', { body: { token: reset.token, password: 'the third phrase' } });
    const invited = { email: person.email, role: 'viewer' };
    await service.call('POST', `/clinics/${clinicId}/invitations`, { token: owner.token, body: invited });
    await mailbox.next(person.email);
    const invitation = await mailbox.next(person.email);
    await service.call('POST', '/invitations/accept', { body: { token: invitation.token, account } });
    const tokens = [verification, reset, invitation].map(({ token }) => token ?? '');
    secrets.push(await passwordHash(person.id), ...tokens, password, 'the second phrase', 'the third phrase');
    expect(new Set(secrets).size).toBe(12);
    for (const secret of secrets.flatMap((each) => [each, ...digests(each)]))
      expect([secret, await linesWith(secret)]).toEqual([secret, 0]);
    expect(await linesWith(person.id)).toBeGreaterThan(5);
  });

  it('shows as changed and not as what: the hash of a password, a telephone number, the number of a license', async () => {
    const person = await newPerson();
    const change = { currentPassword: password, newPassword: 'the second phrase' };
    const { events } = await trace('changePassword', { by: person, body: change });
    expect(events[0]?.changes).toEqual({ password_hash: ['***', '***'] });
    const profile = await trace('updateMe', { by: person, body: { phone: '+49 30 8713466' } });
    expect(profile.events[0]?.changes).toEqual({ phone: ['***', '***'] });
    const doctor = { name: 'Dr. L', licenseNumber: 'LIC-4711' };
    const provider = await trace('createProvider', { by: owner, ids: { clinicId }, body: doctor });
    expect(provider.events[0]?.changes).toMatchObject({ license_number: ['***', '***'] });
    for (const secret of ['8713466', 'LIC-4711']) expect(await linesWith(secret)).toBe(0);
  });

  it('is masked where a table declares it, and by its name where nobody did', async () => {
    const columns = ['diagnosis', 'access_token', 'page_token_sealed', 'client_secret', 'key_hash', 'password', 'note'];
    await service.database.sql(
      `CREATE TABLE public.visits (id uuid PRIMARY KEY, clinic_id uuid, ${columns.map((name) => `${name} text`).join(', ')})`,
    );
    const runner = { query: (text: string) => service.database.sql(text) } as unknown as QueryRunner;
    await declareAccess(runner, {
      table: 'public.visits',
      access: {},
      audit: { clinic: 'clinic_id', masked: ['diagnosis'] },
    });
    const id = randomUUID();
    const values = columns.map((name) => `'very private ${name}'`).join(', ');
    await service.database.sql(`INSERT INTO public.visits VALUES ('${id}', '${clinicId}', ${values})`);
    await service.database.sql(
      `UPDATE public.visits SET ${columns.map((name) => `${name} = ${name} || '!'`).join(', ')}`,
    );
    await service.database.sql(`DELETE FROM public.visits`);
    const events = await service.database.sql<Event & pg.QueryResultRow>(
      `SELECT * FROM audit.events WHERE table_name = 'public.visits' ORDER BY occurred_at`,
    );
    expect(events.map(({ action }) => action)).toEqual(['insert', 'update', 'delete']);
    const masked = Object.fromEntries(columns.slice(0, -1).map((name) => [name, ['***', '***']]));
    for (const event of events) expect(event).toMatchObject({ row_id: id, clinic_id: clinicId, changes: masked });
    expect(await linesWith('very private note')).toBe(3);
    expect(await linesWith('very private')).toBe(3);
    await service.database.sql('DROP TABLE public.visits');
  });
});

interface Queries {
  query(text: string, values?: unknown[]): Promise<unknown>;
}

/** Work in the transaction of a request of this person, as the interceptor would open it. */
function inRequest<T>(by: Person, more: Partial<RequestContext>, work: (database: Queries) => Promise<T>): Promise<T> {
  const context: RequestContext = {
    role: by === admin ? 'super_admin' : 'authenticated',
    caller: { userId: by.id, sessionId: by.sessionId, userType: by === admin ? 'admin' : 'provider' },
    scope: { kind: 'none' },
    requestId: `audit-${randomUUID()}`,
    address: '127.0.0.1',
    route: 'GET /api/v1/patients/:patientId',
    readOnly: false,
    allowsUnverified: false,
    allowsInactiveClinic: false,
    ...more,
  };
  return service.application.get(Transactions).inContext(context, () => work(service.application.get(Database)));
}

describe('A read of a person’s record', () => {
  const rowId = randomUUID();
  const personId = randomUUID();

  async function read(by: Person, record: Partial<RecordRead>, readOnly = false): Promise<Event[]> {
    const requestId = `audit-${randomUUID()}`;
    const whole = { table: 'public.patients', rowId, personId, ...record };
    await inRequest(by, { requestId, readOnly }, () => service.application.get(Audit).read(whole));
    return (await eventsOf(requestId)).filter(({ action }) => action !== 'access');
  }
  const member = (role: string, slug = 'northside') => logIn(demoAddress(role, slug));

  it('by somebody else is recorded: who read whose, where and by which route', async () => {
    const doctor = await member('provider');
    const events = await read(doctor, { clinicId });
    const what = { action: 'read', table_name: 'public.patients', row_id: rowId, clinic_id: clinicId, changes: null };
    const who = { actor_id: doctor.id, session_id: doctor.sessionId, database_role: 'authenticated' };
    const where = { organisation_id: organisationId, route: 'GET /api/v1/patients/:patientId', address: '127.0.0.1' };
    expect(events).toEqual([expect.objectContaining({ ...what, ...who, ...where })]);
  });

  it('by the person whose it is leaves nothing', async () => {
    const doctor = await member('provider');
    expect(await read(doctor, { personId: doctor.id, clinicId })).toEqual([]);
    expect(await read(doctor, { personId: null, clinicId })).toHaveLength(1);
  });

  it('is recorded for an admin wherever it is, and for others only where they belong', async () => {
    const stranger = await member('provider', 'southbank');
    const patient = await member('viewer', 'southbank');
    expect(await read(admin, { clinicId })).toHaveLength(1);
    for (const by of [stranger, patient]) {
      for (const tenant of [{ clinicId }, { organisationId }, { clinicId: randomUUID() }]) {
        await expect(read(by, tenant)).rejects.toThrow('not-found');
      }
    }
    expect(await read(stranger, {})).toHaveLength(1);
  });

  it('cannot be kept out of the log by a transaction that only reads: the read fails with it', async () => {
    await expect(read(await member('provider'), { clinicId }, true)).rejects.toMatchObject({ code: '25006' });
  });

  it('is not forged over the database either', async () => {
    const { id } = await member('provider', 'southbank');
    const forge = `DO $$ BEGIN PERFORM set_config('app.user_id', '${id}', true); SET LOCAL ROLE authenticated;
      PERFORM audit.read('public.patients', 'x', NULL, NULL, '${clinicId}'); END $$`;
    await expect(service.database.sql(forge)).rejects.toMatchObject({ code: 'PC404' });
  });
});
