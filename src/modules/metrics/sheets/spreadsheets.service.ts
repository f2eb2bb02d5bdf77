import { Injectable } from '@nestjs/common';
import { GoogleSpreadsheets, type SpreadsheetProperties } from '../../../integrations/google/google-spreadsheets.js';
import { Cursors } from '../../../kernel/http/cursor.js';
import type { Caller } from '../../../kernel/tenancy/request-context.js';
import type { Spreadsheets, SpreadsheetsQuery } from './google.schemas.js';
import { GoogleConnectionService } from './google-connection.service.js';
import { forPerson } from './google-problems.js';
import { GoogleTokens } from './google-tokens.js';

/** Google's cursor belongs to one search of one account. */
const purposeOf = (credentialId: string, search = '') => `google-spreadsheets ${credentialId} ${search}`;

/** What the caller's Google account can see, asked of Google each time. */
@Injectable()
export class SpreadsheetsService {
  constructor(
    private readonly connection: GoogleConnectionService,
    private readonly tokens: GoogleTokens,
    private readonly spreadsheets: GoogleSpreadsheets,
    private readonly cursors: Cursors,
  ) {}

  async list(clinicId: string, caller: Caller | null, query: SpreadsheetsQuery): Promise<Spreadsheets> {
    const credentialId = await this.connection.mine(clinicId, caller);
    const { search, cursor, limit } = query;
    const purpose = purposeOf(credentialId, search);
    const pageToken = cursor ? String(this.cursors.decode(cursor, purpose)[0]) : undefined;
    const call = (token: string) => this.spreadsheets.list(token, { search, pageToken, limit });
    const { files, nextPageToken } = await forPerson(() => this.tokens.call(credentialId, call));
    return { data: files, nextCursor: nextPageToken === null ? null : this.cursors.encode([nextPageToken], purpose) };
  }

  async sheets(clinicId: string, caller: Caller | null, spreadsheetId: string): Promise<SpreadsheetProperties> {
    const credentialId = await this.connection.mine(clinicId, caller);
    return forPerson(() => this.tokens.call(credentialId, (token) => this.spreadsheets.describe(token, spreadsheetId)));
  }
}
