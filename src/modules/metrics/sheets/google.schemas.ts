import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Email, Timestamp, Uuid } from '../../../kernel/http/primitives.js';

export const ConnectGoogle = z
  .strictObject({ loginHint: Email.meta({ description: 'The Google account that the page proposes.' }) })
  .partial()
  .meta({ id: 'ConnectGoogle' });
export type ConnectGoogle = z.infer<typeof ConnectGoogle>;

export const GoogleAuthorization = z
  .object({
    authorizationUrl: z.string().meta({ description: "Google's consent page: send the browser there." }),
    expiresAt: Timestamp,
  })
  .meta({ id: 'GoogleAuthorization' });
export type GoogleAuthorization = z.input<typeof GoogleAuthorization>;

export const GoogleAnswer = z
  .strictObject({
    state: z.string().min(1).max(300),
    code: z.string().min(1).max(2_000).optional(),
    error: z.string().min(1).max(200).optional().meta({ description: 'What Google answers in place of a code.' }),
  })
  .refine(({ code, error }) => (code === undefined) !== (error === undefined), 'holds either code or error')
  .meta({ id: 'GoogleAnswer' });
export type GoogleAnswer = z.infer<typeof GoogleAnswer>;

export const GoogleCredential = z
  .object({
    id: Uuid,
    clinicId: Uuid,
    userId: Uuid,
    googleEmail: z.string().nullable(),
    scopes: z.array(z.string()),
    status: z.enum(['pending', 'active', 'reauthorize']),
    expiresAt: Timestamp.nullable().meta({ description: 'End of the access token, which is renewed by itself.' }),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'GoogleCredential' });
export type GoogleCredential = z.input<typeof GoogleCredential>;

export const GoogleCredentials = z.object({ data: z.array(GoogleCredential) }).meta({ id: 'GoogleCredentials' });
export type GoogleCredentials = z.input<typeof GoogleCredentials>;

export const SpreadsheetId = z
  .string()
  .regex(/^[\w-]{10,120}$/, 'is not the id of a spreadsheet')
  .meta({
    description: 'As in its address: `docs.google.com/spreadsheets/d/<id>/edit`.',
    examples: ['1x_qO9cSALMPLE-4kJhWnZTcT'],
  });

export const SpreadsheetsQuery = pageQuery.extend({
  search: z.string().trim().min(1).max(100).optional().meta({ description: 'Part of the name.' }),
});
export type SpreadsheetsQuery = z.infer<typeof SpreadsheetsQuery>;

const Spreadsheet = z
  .object({ spreadsheetId: z.string(), name: z.string(), modifiedAt: z.string().nullable() })
  .meta({ id: 'GoogleSpreadsheet' });
export const Spreadsheets = pageOf(Spreadsheet, 'GoogleSpreadsheets');
export type Spreadsheets = z.input<typeof Spreadsheets>;

const Sheet = z.object({
  title: z.string(),
  isHidden: z.boolean(),
  rowCount: z.int().meta({ description: 'Of the grid, empty rows included.' }),
  columnCount: z.int(),
});
export const SpreadsheetSheets = z
  .object({ spreadsheetId: z.string(), name: z.string(), sheets: z.array(Sheet) })
  .meta({ id: 'GoogleSpreadsheetSheets' });
export type SpreadsheetSheets = z.input<typeof SpreadsheetSheets>;
