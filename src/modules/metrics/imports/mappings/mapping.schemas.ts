import { z } from 'zod';

const decimalSeparator = z.enum(['.', ',']).default('.').meta({
  description: 'What separates the decimals: `,` reads `1.234,56`, `.` reads `$1,234.56`. Both read `(120.00)`.',
});

const Transformation = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('trim') }),
    z.strictObject({ kind: z.literal('number'), decimalSeparator }),
    z.strictObject({ kind: z.literal('currency'), decimalSeparator }),
    z.strictObject({ kind: z.literal('percent'), decimalSeparator }),
    z.strictObject({
      kind: z.literal('date'),
      format: z
        .string()
        .max(20)
        .meta({ description: 'Of D, DD, M, MM, YY, YYYY and separators.', examples: ['DD.MM.YYYY', 'M/D/YYYY'] }),
    }),
    z.strictObject({
      kind: z.literal('map'),
      values: z.record(z.string().max(200), z.string().max(200)).meta({
        description: 'What each text becomes. Compared without regard to case and outer spaces.',
      }),
      otherwise: z.string().max(200).optional().meta({ description: 'For every other text, which else is refused.' }),
    }),
  ])
  .meta({ id: 'Transformation' });
export type Transformation = z.infer<typeof Transformation>;

const ColumnMapping = z
  .strictObject({
    column: z.string().trim().min(1).max(200).meta({ description: 'The header of the column.' }),
    field: z
      .string()
      .max(50)
      .meta({ examples: ['amount'] }),
    transformation: Transformation.optional(),
  })
  .meta({ id: 'ColumnMapping' });

/** Which column becomes which field. Whether the fields exist is asked of the target: see compileMapping. */
export const MappingConfig = z
  .strictObject({
    columns: z.array(ColumnMapping).min(1).max(50),
    constants: z
      .record(z.string().max(50), z.string().max(200))
      .optional()
      .meta({ description: 'Fields that no column has.', examples: [{ metricType: 'production' }] }),
  })
  .meta({ id: 'MappingConfig' });
export type MappingConfig = z.infer<typeof MappingConfig>;
