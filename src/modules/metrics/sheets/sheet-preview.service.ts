import { Injectable } from '@nestjs/common';
import { NotFound } from '../../../kernel/http/http.errors.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { MappingAdvice } from '../imports/mappings/mapping-advice.js';
import { forPerson } from './google-problems.js';
import type { HeaderQuery, SheetHeader, SheetPreview, SheetPreviewRequest } from './sheet-preview.schemas.js';
import { type HeadedSheet, SheetReader, type SheetSource } from './sheet-reader.js';
import { GoogleReauthorize, SheetHeaderChanged } from './sheets.errors.js';

/** What a sheet would become, before anything of it is imported. */
@Injectable()
export class SheetPreviewService {
  constructor(
    private readonly database: Database,
    private readonly reader: SheetReader,
    private readonly advice: MappingAdvice,
  ) {}

  async header(clinicId: string, connectionId: string, { sheet, table }: HeaderQuery): Promise<SheetHeader> {
    const headed = await this.read(await this.source(clinicId, connectionId), sheet);
    const { headerLine, columns } = headed;
    return { sheet, headerLine, columns, proposal: this.propose(table, headed) };
  }

  async preview(clinicId: string, connectionId: string, request: SheetPreviewRequest): Promise<SheetPreview> {
    const { sheet, table, mapping: tried } = request;
    const source = await this.source(clinicId, connectionId);
    const given = tried && this.advice.check(table, tried);
    const headed = await this.read(source, sheet);
    const mapping = given ?? this.propose(table, headed).mapping;
    const missing = this.advice.missingColumns(mapping, headed.columns);
    if (missing.length > 0) throw new SheetHeaderChanged(`Sheet '${sheet}' has no column ${quoted(missing)}.`);
    const rows = this.advice.preview(table, mapping, headed.columns, headed.sample);
    return { sheet, connectionId, mapping, rows };
  }

  private propose(table: HeaderQuery['table'], { columns, sample }: HeadedSheet) {
    const cells = sample.map((row) => [...row.cells]);
    const { mapping, missing, unmapped } = this.advice.propose(table, columns, cells);
    return { mapping, missing, unmapped };
  }

  private async source(clinicId: string, connectionId: string): Promise<SheetSource> {
    const values = [clinicId, connectionId];
    const found = await this.database.separately(() => this.database.first<Source>(findSource, values));
    if (!found) throw new NotFound();
    const { credentialId, spreadsheetId } = found;
    if (!credentialId) throw new GoogleReauthorize();
    return { credentialId, spreadsheetId };
  }

  private read(source: SheetSource, sheet: string): Promise<HeadedSheet> {
    return forPerson(async () => this.reader.headed(source, await this.reader.describe(source), sheet));
  }
}

interface Source {
  credentialId: string | null;
  spreadsheetId: string;
}

const quoted = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ');

const findSource = `
  SELECT google_credential_id AS credential_id, spreadsheet_id
    FROM public.spreadsheet_connections WHERE clinic_id = $1 AND id = $2`;
