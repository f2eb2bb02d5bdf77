import { Injectable } from '@nestjs/common';
import { partialUpdate } from '../../../../kernel/database/partial-update.js';
import { Cursors } from '../../../../kernel/http/cursor.js';
import { assertIfMatch, etagOf } from '../../../../kernel/http/etag.js';
import { NotFound } from '../../../../kernel/http/http.errors.js';
import { toPage } from '../../../../kernel/http/page.js';
import { Database } from '../../../../kernel/tenancy/database.js';
import { checkMapping } from './compiled-mapping.js';
import { MappingAdvice } from './mapping-advice.js';
import type {
  FirstRows,
  MappingProposal,
  NewSavedMapping,
  SavedMapping,
  SavedMappingChanges,
  SavedMappings,
  SavedMappingsQuery,
} from './saved-mappings.schemas.js';

const purpose = 'mappings';
const columns = `id, clinic_id, name, target_table AS "table", sheet, mapping_config AS mapping, version, is_active,
  spreadsheet_connection_id, created_by, created_at, updated_at`;

/** Mappings that a clinic keeps for its files and sheets. */
@Injectable()
export class SavedMappingsService {
  constructor(
    private readonly database: Database,
    private readonly cursors: Cursors,
    private readonly advice: MappingAdvice,
  ) {}

  async list(clinicId: string, { cursor, limit, table }: SavedMappingsQuery): Promise<SavedMappings> {
    const [afterName, afterId] = cursor ? this.cursors.decode(cursor, purpose) : [null, null];
    const rows = await this.database.query<SavedMapping>(listMappings, [
      clinicId,
      table ?? null,
      afterName,
      afterId,
      limit + 1,
    ]);
    return toPage(rows, limit, ({ name, id }) => this.cursors.encode([name, id], purpose));
  }

  async get(clinicId: string, mappingId: string): Promise<SavedMapping> {
    const row = await this.database.first<SavedMapping>(getMapping, [clinicId, mappingId]);
    if (!row) throw new NotFound();
    return row;
  }

  /** @throws MappingRefused */
  async create(clinicId: string, { name, table, sheet, mapping, isActive, spreadsheetConnectionId }: NewSavedMapping) {
    const checked = JSON.stringify(checkMapping(table, mapping));
    const values = [clinicId, name, table, sheet ?? null, checked, isActive ?? true, spreadsheetConnectionId ?? null];
    const [row] = await this.database.query<SavedMapping>(insertMapping, values);
    if (!row) throw new NotFound();
    return row;
  }

  /** Imports that were asked for keep the mapping that they were given. @throws MappingRefused */
  async change(
    clinicId: string,
    mappingId: string,
    changes: SavedMappingChanges,
    ifMatch?: string,
  ): Promise<SavedMapping> {
    const present = await this.database.first<SavedMapping>(`${getMapping} FOR UPDATE`, [clinicId, mappingId]);
    if (!present) throw new NotFound();
    assertIfMatch(ifMatch, etagOf(present.updatedAt as Date));
    const { table, mapping, ...plain } = changes;
    const checked = checkMapping(table ?? present.table, mapping ?? present.mapping);
    const isOther = table !== undefined || mapping !== undefined;
    const update = partialUpdate({
      table: 'public.column_mappings',
      where: { clinic_id: clinicId, id: mappingId },
      changes: { ...plain, table, ...(isOther && { mapping: JSON.stringify(checked), version: present.version + 1 }) },
      columns: changeable,
      returning: columns,
    });
    if (!update) return present;
    const [row] = await this.database.query<SavedMapping>(update.text, update.values);
    if (!row) throw new NotFound();
    return row;
  }

  async remove(clinicId: string, mappingId: string): Promise<void> {
    const [removed] = await this.database.query(deleteMapping, [clinicId, mappingId]);
    if (!removed) throw new NotFound();
  }

  /** Looks at the first rows of a file or sheet; nothing is stored. @throws MappingRefused */
  async propose(clinicId: string, { table, rows, mapping }: FirstRows): Promise<MappingProposal> {
    // The policies say whether the clinic is the caller's: without a statement nobody would have asked them.
    const clinic = await this.database.first(aClinic, [clinicId]);
    if (!clinic) throw new NotFound();
    const header = this.advice.detectHeader(rows);
    const body = rows.slice(header.row + 1);
    const proposal = this.advice.propose(table, header.columns, body);
    const tried = mapping ? checkMapping(table, mapping) : proposal.mapping;
    const numbered = body.slice(0, 20).map((cells, index) => ({ line: header.row + index + 2, cells }));
    return {
      headerRow: header.row + 1,
      columns: header.columns,
      ...proposal,
      mapping: tried,
      preview: this.advice.preview(table, tried, header.columns, numbered),
    };
  }
}

const listMappings = `
  SELECT ${columns} FROM public.column_mappings
   WHERE clinic_id = $1 AND ($2::text IS NULL OR target_table = $2)
     AND ($3::text IS NULL OR (name, id) > ($3, $4::uuid))
   ORDER BY name, id LIMIT $5`;

const getMapping = `SELECT ${columns} FROM public.column_mappings WHERE clinic_id = $1 AND id = $2`;

const insertMapping = `
  INSERT INTO public.column_mappings
    (clinic_id, name, target_table, sheet, mapping_config, is_active, spreadsheet_connection_id, created_by)
  VALUES ($1, $2, $3, $4, $5, $6, $7, app.user_id())
  RETURNING ${columns}`;

const aClinic = 'SELECT id FROM public.clinics WHERE id = $1';

const deleteMapping = 'DELETE FROM public.column_mappings WHERE clinic_id = $1 AND id = $2 RETURNING id';

const changeable = {
  name: 'name',
  table: 'target_table',
  sheet: 'sheet',
  mapping: 'mapping_config',
  version: 'version',
  isActive: 'is_active',
  spreadsheetConnectionId: 'spreadsheet_connection_id',
};
