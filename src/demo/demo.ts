import pg from 'pg';
import type { Config } from '../kernel/config/config.js';
import { Passwords } from '../kernel/secrets/passwords.js';
import { clinicRoles, organisationRoles, userTypes } from '../kernel/tenancy/actor.js';

/** Of every demo login. The demo is there by itself only where the API listens on the loopback address, and production refuses it. */
export const demoPassword = 'open-the-clinic';

export const demoOrganisations = [
  { slug: 'northside', name: 'Northside Health Group', clinics: ['Northside Dental', 'Northside Family Practice'] },
  { slug: 'southbank', name: 'Southbank Medical', clinics: ['Southbank Dental', 'Southbank Dermatology'] },
] as const;

/** `owner@northside.example`: a person of each role in each organisation; clinic roles are held in its first clinic. */
export function demoAddress(role: string, slug: string): string {
  return `${role.replace('_', '-')}@${slug}.example`;
}

export const demoAdmin = 'admin@polyclinic.example';

/** User types that are no role: people of whom each organisation's surroundings have one. */
const otherTypes = userTypes.filter((type) => type !== 'admin' && type !== 'provider');

/**
 * Two organisations alike, with two clinics each, and a person of every organisation role, clinic role and user type.
 * Written as the owner, straight into the tables: it stands for what years of use would have left there.
 *
 * Only where there is nobody yet, and all or nothing: a start that was cut off before this is made good by the next,
 * and of two starts at once one seeds while the other waits.
 */
export async function seedDemo(config: Config): Promise<void> {
  const client = new pg.Client({ connectionString: config.database.migrationUrl, options: '-c role=polyclinic_owner' });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query('LOCK TABLE auth.users IN SHARE ROW EXCLUSIVE MODE');
    const { rowCount } = await client.query('SELECT FROM auth.users LIMIT 1');
    if (rowCount === 0) await seedEverything(client, config);
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
}

async function seedEverything(client: pg.Client, config: Config): Promise<void> {
  const hash = await new Passwords(config).hash(demoPassword);
  await addPerson(client, hash, demoAdmin, 'admin');
  for (const organisation of demoOrganisations) await seedOrganisation(client, hash, organisation);
}

/** The lines that tell a newcomer how to log in. */
export function describeDemo(): string[] {
  const roles = [...organisationRoles, ...clinicRoles, ...otherTypes].map((role) => role.replace('_', '-'));
  return [
    `  demo logins    password '${demoPassword}'`,
    `                 ${demoAdmin}`,
    `                 <role>@${demoOrganisations.map(({ slug }) => `${slug}.example`).join(' or @')}`,
    `                 with <role> one of ${roles.join(', ')}`,
  ];
}

async function seedOrganisation(
  client: pg.Client,
  hash: string,
  demo: (typeof demoOrganisations)[number],
): Promise<void> {
  const organisationId = await insert(
    client,
    'INSERT INTO public.organisations (name, slug) VALUES ($1, $2) RETURNING id',
    [demo.name, demo.slug],
  );
  for (const role of organisationRoles) {
    const userId = await addPerson(client, hash, demoAddress(role, demo.slug), 'provider');
    await client.query('INSERT INTO public.organisation_members (organisation_id, user_id, role) VALUES ($1, $2, $3)', [
      organisationId,
      userId,
      role,
    ]);
  }
  const clinicIds: string[] = [];
  for (const name of demo.clinics) clinicIds.push(await addClinic(client, organisationId, name));
  for (const role of clinicRoles) await addMember(client, hash, clinicIds[0] ?? '', role, demo.slug);
  for (const type of otherTypes) await addPerson(client, hash, demoAddress(type, demo.slug), type);
}

function addClinic(client: pg.Client, organisationId: string, name: string): Promise<string> {
  return insert(
    client,
    `INSERT INTO public.clinics (organisation_id, name, location, time_zone, currency)
     VALUES ($1, $2, $3, 'Europe/Berlin', 'EUR') RETURNING id`,
    [organisationId, name, `${name.split(' ')[0]} 1`],
  );
}

/** A member of the clinic; the one whose role is `provider` treats patients there too. */
async function addMember(client: pg.Client, hash: string, clinicId: string, role: string, slug: string): Promise<void> {
  const userId = await addPerson(client, hash, demoAddress(role, slug), 'provider');
  await client.query('INSERT INTO public.user_clinic_roles (clinic_id, user_id, role) VALUES ($1, $2, $3)', [
    clinicId,
    userId,
    role,
  ]);
  if (role !== 'provider') return;
  await client.query(
    `INSERT INTO public.providers (clinic_id, user_id, name, provider_type, specialty, npi_number)
     VALUES ($1, $2, 'Dr. Robin Hale', 'dentist', 'Endodontics', '1234567893'), ($1, NULL, 'Dr. Sam Okoro', 'dentist', 'Surgery', NULL)`,
    [clinicId, userId],
  );
}

async function addPerson(client: pg.Client, hash: string, email: string, userType: string): Promise<string> {
  const [first = '', last = ''] = email.split('@').map((part) => part.split('.')[0] ?? '');
  const id = await insert(
    client,
    'INSERT INTO auth.users (email, password_hash, email_verified_at) VALUES ($1, $2, now()) RETURNING id',
    [email, hash],
  );
  await client.query('UPDATE public.profiles SET first_name = $2, last_name = $3, user_type = $4 WHERE id = $1', [
    id,
    capitalised(first),
    capitalised(last),
    userType,
  ]);
  return id;
}

async function insert(client: pg.Client, text: string, values: unknown[]): Promise<string> {
  const { rows } = await client.query<{ id: string }>(text, values);
  return rows[0]?.id ?? '';
}

function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
