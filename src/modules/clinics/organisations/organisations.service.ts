import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { partialUpdate } from '../../../kernel/database/partial-update.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import { assertIfMatch, etagOf } from '../../../kernel/http/etag.js';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { toPage } from '../../../kernel/http/page.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { OrganisationNotEmpty } from '../clinics.errors.js';
import type {
  NewOrganisation,
  Organisation,
  OrganisationChanges,
  Organisations,
  OrganisationsQuery,
} from './organisations.schemas.js';
import { slugOf, withTail } from './slug.js';

const purpose = 'organisations';
const columns = 'id, name, slug, created_at, updated_at';

@Injectable()
export class OrganisationsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
  ) {}

  /** The creator becomes the owner, by trigger. A slug that was asked for and is taken is refused. */
  async create({ name, slug }: NewOrganisation): Promise<Organisation> {
    const id = uuidv7();
    const own = slug ?? slugOf(name);
    const isTaken = slug === undefined && !(await this.tryInsert(id, name, own));
    if (slug !== undefined) await this.database.query(insertOrganisation, [id, name, own]);
    if (isTaken) await this.database.query(insertOrganisation, [id, name, withTail(own)]);
    return this.get(id);
  }

  async list(query: OrganisationsQuery): Promise<Organisations> {
    const [afterId] = query.cursor ? this.cursors.decode(query.cursor, purpose) : [null];
    const rows = await this.database.query<Organisations['data'][number]>(listOrganisations, [
      afterId,
      query.limit + 1,
    ]);
    return toPage(rows, query.limit, ({ id }) => this.cursors.encode([id], purpose));
  }

  async get(organisationId: string): Promise<Organisation> {
    const row = await this.database.first<Organisation>(`SELECT ${columns} FROM public.organisations WHERE id = $1`, [
      organisationId,
    ]);
    if (!row) throw new NotFound();
    return row;
  }

  async change(
    organisationId: string,
    changes: OrganisationChanges,
    ifMatch: string | undefined,
  ): Promise<Organisation> {
    const present = await this.database.first<{ updatedAt: Date }>(lockOrganisation, [organisationId]);
    if (!present) throw new NotFound();
    assertIfMatch(ifMatch, etagOf(present.updatedAt));
    const update = partialUpdate({
      table: 'public.organisations',
      where: { id: organisationId },
      changes,
      columns: { name: 'name', slug: 'slug' },
      returning: 'id',
    });
    if (update) await this.database.query(update.text, update.values);
    return this.get(organisationId);
  }

  /**
   * Whether the slug was free. RETURNING, and naming the column of the conflict, would both ask for the right to read the
   * row, which the creator has only once the trigger has made them a member.
   */
  private async tryInsert(id: string, name: string, slug: string): Promise<boolean> {
    await this.database.query(`${insertOrganisation} ON CONFLICT DO NOTHING`, [id, name, slug]);
    const [inserted] = await this.database.query('SELECT FROM public.organisations WHERE id = $1', [id]);
    return inserted !== undefined;
  }

  /** @throws OrganisationNotEmpty */
  async remove(organisationId: string): Promise<void> {
    const [clinic] = await this.database.query('SELECT FROM public.clinics WHERE organisation_id = $1 LIMIT 1', [
      organisationId,
    ]);
    if (clinic) throw new OrganisationNotEmpty();
    const [removed] = await this.database.query('DELETE FROM public.organisations WHERE id = $1 RETURNING id', [
      organisationId,
    ]);
    if (!removed) throw new NotFound();
  }
}

const insertOrganisation = `
  INSERT INTO public.organisations (id, name, slug, created_by) VALUES ($1, $2, $3, app.user_id())`;

const listOrganisations = `
  SELECT o.id, o.name, o.slug, o.created_at, o.updated_at, m.role
    FROM public.organisations o
    LEFT JOIN public.organisation_members m ON m.organisation_id = o.id AND m.user_id = app.user_id()
   WHERE ($1::uuid IS NULL OR o.id > $1)
   ORDER BY o.id LIMIT $2`;

const lockOrganisation = 'SELECT updated_at FROM public.organisations WHERE id = $1 FOR UPDATE';
