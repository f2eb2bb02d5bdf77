/** Who and what there is at Meta: people, their pages, the Instagram accounts of these, and the clock. */

export interface Person {
  id: string;
  name: string;
  firstName: string;
  lastName: string;
  email: string | null;
}

export interface InstagramAccount {
  id: string;
  pageId: string;
  username: string;
  name: string;
  accountType: 'BUSINESS' | 'MEDIA_CREATOR';
  /** Publications in 24 hours; what `used` adds was published by other apps. */
  limit: { used: number; total: number };
  /** Its own subscription to the app, beside that of its page. */
  subscribedFields: string[];
}

export interface Page {
  id: string;
  name: string;
  category: string;
  tasks: string[];
  personIds: string[];
  instagramId: string | undefined;
  subscribedFields: string[];
}

export interface GivenPerson {
  name: string;
  email?: string | null;
  firstName?: string;
  lastName?: string;
}

export interface GivenPage {
  personId: string;
  name: string;
  tasks?: string[];
  instagram?: { username: string; name?: string; accountType?: 'business' | 'creator' };
}

/** Each kind of id begins with its own digits and is never given twice, not even after a reset. */
const idBases = {
  person: 122_100_000_000_000n,
  page: 104_200_000_000_000n,
  instagram: 17_841_400_000_000_000n,
  container: 17_855_000_000_000_000n,
  media: 17_990_000_000_000_000n,
  post: 122_300_000_000_000n,
  photo: 122_400_000_000_000n,
  video: 1_220_500_000_000_000n,
  // Not given again by a process that comes after this one: a service remembers what it was told of.
  comment: 18_050_000_000_000_000n + BigInt(Date.now()),
};
export type IdKind = keyof typeof idBases;
const given = new Map<IdKind, bigint>();

export function nextId(kind: IdKind): string {
  const number = (given.get(kind) ?? 0n) + 1n;
  given.set(kind, number);
  return String(idBases[kind] + number);
}

export class World {
  readonly people = new Map<string, Person>();
  readonly pages = new Map<string, Page>();
  readonly instagram = new Map<string, InstagramAccount>();
  /** How far Meta's clock is ahead of ours. */
  offsetMs = 0;
  /** How long lists do not show what was published: Meta's are not always up to date. */
  listLagMs = 0;

  now(): number {
    return Date.now() + this.offsetMs;
  }

  addPerson({ name, email = null, ...names }: GivenPerson): Person {
    const [firstName = name, ...others] = name.split(' ');
    const person = { id: nextId('person'), name, firstName, lastName: others.join(' '), email, ...names };
    this.people.set(person.id, person);
    return person;
  }

  addPage({ personId, name, tasks = allTasks, instagram }: GivenPage): Page {
    if (!this.people.has(personId)) throw new Error(`There is no person ${personId}.`);
    const id = nextId('page');
    const account = instagram && this.addInstagram(id, instagram);
    const page = { id, name, category: 'Dentist', tasks, personIds: [personId], instagramId: account?.id };
    this.pages.set(id, { ...page, subscribedFields: [] });
    return this.page(id);
  }

  page(id: string): Page {
    const page = this.pages.get(id);
    if (!page) throw new Error(`There is no page ${id}.`);
    return page;
  }

  private addInstagram(pageId: string, { username, name, accountType }: NonNullable<GivenPage['instagram']>) {
    const account: InstagramAccount = {
      id: nextId('instagram'),
      pageId,
      username,
      name: name ?? username,
      accountType: accountType === 'creator' ? 'MEDIA_CREATOR' : 'BUSINESS',
      limit: { used: 0, total: 100 },
      subscribedFields: [],
    };
    this.instagram.set(account.id, account);
    return account;
  }
}

const allTasks = ['ADVERTISE', 'ANALYZE', 'CREATE_CONTENT', 'MESSAGING', 'MODERATE', 'MANAGE'];

/** People and pages that are there from the start. */
export function furnish(world: World): void {
  const alex = world.addPerson({ name: 'Alex Demo', email: 'alex@meta.example' });
  world.addPage({
    personId: alex.id,
    name: 'Northside Dental',
    instagram: { username: 'northside.dental', name: 'Northside Dental' },
  });
  world.addPage({ personId: alex.id, name: 'Northside Family Practice' });
  world.addPerson({ name: 'Billie Demo', email: 'billie@meta.example' });
}

/** As the Graph API writes times: `2026-04-05T07:56:32+0000`. */
export const graphTime = (at: number): string => new Date(at).toISOString().replace(/\.\d{3}Z$/, '+0000');
