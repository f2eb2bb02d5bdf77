import { z } from 'zod';
import { Uuid } from '../../../kernel/http/primitives.js';
import { factTables } from '../imports/fields.js';
import { MappingConfig } from '../imports/mappings/mapping.schemas.js';

const SheetName = z.string().min(1).max(100);
const Table = z.enum(factTables);

/** As proposed: it may still lack what a mapping must have. */
const ProposedMapping = z.object({
  columns: z.array(z.unknown()),
  constants: z.record(z.string(), z.string()).optional(),
});

export const HeaderQuery = z.strictObject({ sheet: SheetName, table: Table });
export type HeaderQuery = z.infer<typeof HeaderQuery>;

export const SheetHeader = z
  .object({
    sheet: z.string(),
    headerLine: z.int().meta({ description: 'Line of the header, from 1; what stands above it is passed over.' }),
    columns: z.array(z.string()),
    proposal: z.object({
      mapping: ProposedMapping,
      missing: z.array(z.string()).meta({ description: 'Required fields for which no column was found.' }),
      unmapped: z.array(z.string()).meta({ description: 'Columns that would not be read.' }),
    }),
  })
  .meta({ id: 'SheetHeader' });
export type SheetHeader = z.input<typeof SheetHeader>;

export const SheetPreviewRequest = z
  .strictObject({
    sheet: SheetName,
    table: Table,
    mapping: MappingConfig.optional().meta({ description: 'To be tried. The proposed one unless given.' }),
  })
  .meta({ id: 'SheetPreviewRequest' });
export type SheetPreviewRequest = z.infer<typeof SheetPreviewRequest>;

const PreviewedRow = z.object({
  line: z.int(),
  values: z.record(z.string(), z.string().nullable()).meta({ description: 'What the row would become, by field.' }),
  errors: z.array(
    z.object({
      line: z.int(),
      column: z.string().nullable(),
      field: z.string().nullable(),
      code: z.string(),
      message: z.string(),
    }),
  ),
});
export const SheetPreview = z
  .object({ sheet: z.string(), connectionId: Uuid, mapping: ProposedMapping, rows: z.array(PreviewedRow) })
  .meta({ id: 'SheetPreview' });
export type SheetPreview = z.input<typeof SheetPreview>;
