import { z } from 'zod';
import { pageOf, pageQuery } from '../../../../kernel/http/page.js';
import { Line, Timestamp, Uuid } from '../../../../kernel/http/primitives.js';
import { factTables } from '../fields.js';
import { MappingConfig } from './mapping.schemas.js';

const Table = z.enum(factTables);

export const SavedMapping = z
  .object({
    id: Uuid,
    clinicId: Uuid,
    name: z.string(),
    table: Table,
    sheet: z.string().nullable(),
    mapping: MappingConfig,
    version: z.number().int().meta({ description: 'Grows with each change of the mapping.' }),
    isActive: z.boolean(),
    spreadsheetConnectionId: Uuid.nullable(),
    createdBy: Uuid.nullable(),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'SavedMapping' });
export type SavedMapping = z.input<typeof SavedMapping>;

export const SavedMappings = pageOf(SavedMapping, 'SavedMappings');
export type SavedMappings = z.input<typeof SavedMappings>;
export const SavedMappingsQuery = pageQuery.extend({ table: Table.optional() });
export type SavedMappingsQuery = z.infer<typeof SavedMappingsQuery>;

export const SavedMappingChanges = z
  .strictObject({
    name: Line,
    table: Table,
    sheet: Line.nullable(),
    mapping: MappingConfig,
    isActive: z.boolean(),
    spreadsheetConnectionId: Uuid.nullable(),
  })
  .partial()
  .meta({ id: 'SavedMappingChanges' });
export type SavedMappingChanges = z.infer<typeof SavedMappingChanges>;

export const NewSavedMapping = SavedMappingChanges.required({ name: true, table: true, mapping: true }).meta({
  id: 'NewSavedMapping',
});
export type NewSavedMapping = z.infer<typeof NewSavedMapping>;

const Cell = z.union([z.string().max(2_000), z.number(), z.boolean(), z.null()]);

export const FirstRows = z
  .strictObject({
    table: Table,
    rows: z
      .array(z.array(Cell).max(500))
      .min(1)
      .max(50)
      .meta({ description: 'The first rows, titles and header included.' }),
    mapping: MappingConfig.optional().meta({ description: 'Tried on the rows in place of a proposed one.' }),
  })
  .meta({ id: 'FirstRows' });
export type FirstRows = z.infer<typeof FirstRows>;

export const MappingProposal = z
  .object({
    headerRow: z.number().int().meta({ description: 'Counted from 1.' }),
    columns: z.array(z.string()),
    mapping: z.object({
      columns: z.array(z.unknown()),
      constants: z.record(z.string(), z.string()).optional(),
    }),
    missing: z.array(z.string()).meta({ description: 'Required fields for which no column was found.' }),
    unmapped: z.array(z.string()).meta({ description: 'Columns that no field was found for.' }),
    preview: z.array(
      z.object({
        line: z.number().int(),
        values: z.record(z.string(), z.string().nullable()),
        errors: z.array(
          z.object({
            column: z.string().nullable(),
            field: z.string().nullable(),
            code: z.string(),
            message: z.string(),
          }),
        ),
      }),
    ),
  })
  .meta({ id: 'MappingProposal' });
export type MappingProposal = z.input<typeof MappingProposal>;
