import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Line, Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { SpreadsheetId } from './google.schemas.js';
import { connectionStates } from './sync-states.js';

const Frequency = z.enum(['manual', 'hourly', 'daily', 'weekly']);
const SheetName = z.string().min(1).max(100);
const SheetNames = z
  .array(SheetName)
  .min(1)
  .max(50)
  .refine((names) => new Set(names).size === names.length, 'names a sheet twice')
  .meta({ description: 'The sheets whose rows are imported, by their titles.' });

export const SpreadsheetConnection = z
  .object({
    id: Uuid,
    clinicId: Uuid,
    googleCredentialId: Uuid.nullable().meta({ description: 'Null once that account was disconnected.' }),
    spreadsheetId: z.string(),
    name: z.string(),
    sheetNames: z.array(z.string()),
    syncFrequency: Frequency,
    syncStatus: z.enum(connectionStates),
    lastProblem: z.string().nullable().meta({ description: 'Code of the problem that ended the last run.' }),
    lastSyncAt: Timestamp.nullable().meta({ description: 'End of the last run that succeeded.' }),
    nextSyncAt: Timestamp.nullable(),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'SpreadsheetConnection' });
export type SpreadsheetConnection = z.input<typeof SpreadsheetConnection>;

export const SpreadsheetConnections = pageOf(SpreadsheetConnection, 'SpreadsheetConnections');
export type SpreadsheetConnections = z.input<typeof SpreadsheetConnections>;
export const ConnectionsQuery = pageQuery.extend({ status: z.enum(connectionStates).optional() });
export type ConnectionsQuery = z.infer<typeof ConnectionsQuery>;

export const NewSpreadsheetConnection = z
  .strictObject({
    spreadsheetId: SpreadsheetId,
    name: Line.optional().meta({ description: 'As in Google unless given.' }),
    sheetNames: SheetNames,
    syncFrequency: Frequency.default('manual'),
  })
  .meta({ id: 'NewSpreadsheetConnection' });
export type NewSpreadsheetConnection = z.infer<typeof NewSpreadsheetConnection>;

export const SpreadsheetConnectionChanges = z
  .strictObject({
    name: Line,
    sheetNames: SheetNames,
    syncFrequency: Frequency,
    googleCredentialId: Uuid.meta({ description: "The caller's own: from now on it is read through that account." }),
  })
  .partial()
  .meta({ id: 'SpreadsheetConnectionChanges' });
export type SpreadsheetConnectionChanges = z.infer<typeof SpreadsheetConnectionChanges>;
