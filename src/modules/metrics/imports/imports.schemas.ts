import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { factTables } from './fields.js';
import { importStatuses } from './import-states.js';
import { MappingConfig } from './mappings/mapping.schemas.js';
import { fileFormats } from './reading/open-rows.js';
import { encodings } from './reading/text.js';

const Table = z.enum(factTables);
const Mode = z.enum(['insert', 'upsert']).default('upsert').meta({
  description: '`upsert` changes facts of the same source reference; `insert` refuses rows that would.',
});

const RowErrorSchema = z
  .object({
    line: z.number().int(),
    column: z.string().nullable(),
    field: z.string().nullable(),
    code: z.string(),
    message: z.string(),
  })
  .meta({ id: 'ImportRowError' });

const ImportSummary = z
  .object({
    id: Uuid,
    clinicId: Uuid,
    source: z.enum(['file', 'rows', 'sheet']),
    name: z.string(),
    format: z.enum([...fileFormats, 'rows']),
    table: Table,
    mode: z.enum(['insert', 'upsert']),
    dryRun: z.boolean(),
    strict: z.boolean(),
    status: z.enum(importStatuses),
    rowsRead: z.number().int().meta({ description: 'Grows while the import runs.' }),
    inserted: z.number().int(),
    updated: z.number().int(),
    unchanged: z.number().int(),
    rejected: z.number().int(),
    problem: z
      .object({ code: z.string(), detail: z.string(), line: z.number().nullable(), column: z.string().nullable() })
      .nullable()
      .meta({ description: 'Why it failed; of one that is done, why undoing it was refused.' }),
    createdBy: Uuid.nullable(),
    createdAt: Timestamp,
    startedAt: Timestamp.nullable(),
    finishedAt: Timestamp.nullable(),
    undoneAt: Timestamp.nullable(),
    undoneBy: Uuid.nullable().meta({ description: 'Whoever asked for undoing, from then on.' }),
  })
  .meta({ id: 'ImportSummary' });
export type ImportSummary = z.input<typeof ImportSummary>;

export const Import = ImportSummary.extend({
  mapping: z.unknown().meta({ description: 'As it was when the import was asked for.' }),
  firstErrors: z.array(RowErrorSchema).meta({ description: 'At most 20; all of them are in `errors.csv`.' }),
}).meta({ id: 'Import' });
export type Import = z.input<typeof Import>;

export const Imports = pageOf(ImportSummary, 'Imports');
export type Imports = z.input<typeof Imports>;
export const ImportsQuery = pageQuery.extend({
  status: z.enum(importStatuses).optional(),
  table: Table.optional(),
});
export type ImportsQuery = z.infer<typeof ImportsQuery>;

const yes = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true');

/** The fields of the form, which all are text. */
export const ImportForm = z.strictObject({
  table: Table,
  mapping: z.string().optional().meta({ description: 'A MappingConfig as JSON; or else `mappingId`.' }),
  mappingId: Uuid.optional().meta({ description: 'A saved mapping of the clinic.' }),
  mode: Mode,
  dryRun: yes.meta({ description: 'Everything but the writing.' }),
  strict: yes.meta({ description: 'One refused row and nothing is written.' }),
  format: z.enum(fileFormats).optional().meta({ description: 'By the end of the file name unless given.' }),
  encoding: z.enum(encodings).optional().meta({ description: 'Found out unless given.' }),
  delimiter: z.enum([',', ';', 'tab']).optional().meta({ description: 'Found out unless given.' }),
  sheet: z.string().min(1).max(200).optional().meta({ description: 'Of a workbook; the first unless given.' }),
});
export type ImportForm = z.infer<typeof ImportForm>;

const Cell = z.union([z.string().max(32_768), z.number(), z.boolean(), z.null()]);

export const PushedRows = z
  .strictObject({
    table: Table,
    mapping: MappingConfig.optional(),
    mappingId: Uuid.optional().meta({ description: 'A saved mapping of the clinic, in place of `mapping`.' }),
    mode: Mode,
    dryRun: z.boolean().default(false),
    strict: z.boolean().default(false),
    columns: z
      .array(z.string().max(200))
      .min(1)
      .max(500)
      .meta({ description: 'The header: the names of the cells of each row, in their order.' }),
    rows: z.array(z.array(Cell).max(500)).min(1).meta({ description: 'At most 5,000.' }),
  })
  .meta({ id: 'PushedRows' });
export type PushedRows = z.infer<typeof PushedRows>;

export const PushedOutcome = z
  .object({
    id: Uuid,
    status: z.enum(importStatuses),
    rowsRead: z.number().int(),
    inserted: z.number().int(),
    updated: z.number().int(),
    unchanged: z.number().int(),
    rejected: z.number().int(),
    rows: z
      .array(
        z.object({
          outcome: z.enum(['inserted', 'updated', 'unchanged', 'refused']),
          errors: z
            .array(
              z.object({
                column: z.string().nullable(),
                field: z.string().nullable(),
                code: z.string(),
                message: z.string(),
              }),
            )
            .optional(),
        }),
      )
      .meta({ description: 'One for each row that was sent, in their order.' }),
  })
  .meta({ id: 'PushedOutcome' });
export type PushedOutcome = z.input<typeof PushedOutcome>;
