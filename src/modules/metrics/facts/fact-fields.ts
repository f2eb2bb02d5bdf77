import { z } from 'zod';
import { pageQuery } from '../../../kernel/http/page.js';
import { Line, Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { BusinessDay } from '../business-day.js';

/** The fields that facts of every kind share, and the forms that values of facts have on their way in and out. */

/** A number as text, so that no digit is lost: as many digits before the point as its column has, and two behind it. */
const decimal = (digits: number, description: string, example: string) =>
  z
    .string()
    .regex(new RegExp(`^-?\\d{1,${digits}}(\\.\\d{1,2})?$`), `must be a decimal like ${example}`)
    .meta({ description, examples: [example] });

export const Money = decimal(10, "In the clinic's currency.", '1250.00');
export const Rate = decimal(3, 'Percent, 0 to 100.', '87.50');
export const Minutes = decimal(5, 'Minutes.', '45.00');
export const Seconds = decimal(7, 'Seconds.', '183.50');
export const Count = z.int().min(0).max(1_000_000);
export const PatientCount = z.int().min(0).max(100_000_000);
export const Label = Line.nullable();
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
const noControlCharactersButLines = /^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$/;
/** As long as the column allows, over several lines. */
export const Notes = z.string().trim().min(1).max(2_000).regex(noControlCharactersButLines, 'holds control characters');

const SourceReference = Line.nullable().meta({
  description: 'What the source calls it, unique in the clinic among facts of this kind. An import changes by it.',
});

/** On its way in. */
export const newFactFields = { date: BusinessDay, sourceReference: SourceReference.default(null) };
export const factChangeFields = { date: BusinessDay, sourceReference: SourceReference };

/** On its way out. */
export const factFields = {
  id: Uuid,
  clinicId: Uuid,
  date: BusinessDay,
  sourceReference: z.string().nullable(),
  importId: Uuid.nullable().meta({ description: 'The import that brought it; null when it was entered by hand.' }),
  createdBy: Uuid.nullable(),
  updatedBy: Uuid.nullable(),
  createdAt: Timestamp,
  updatedAt: Timestamp,
};

/** Something that looks wrong and was taken all the same. */
const Warning = z
  .object({
    code: z.enum(['production-unusually-high', 'collections-above-production']),
    message: z.string(),
    path: z.string().optional().meta({ description: 'The field that it is about.' }),
  })
  .meta({ id: 'FactWarning' });
export type Warning = z.infer<typeof Warning>;

export const warnings = z.array(Warning);

/** The most items of a batch; above, it is refused with 413. */
export const batchLimit = 1_000;

/** `all`: one refusal refuses everything. `partial`: what can be taken is, and the answer tells of each. */
export const BatchQuery = z.strictObject({ mode: z.enum(['all', 'partial']).default('all') });
export type BatchQuery = z.infer<typeof BatchQuery>;

/** `?from=` and `?to=` of the list, both included; each kind adds its own filters. */
export const factsQuery = pageQuery.extend({ from: BusinessDay.optional(), to: BusinessDay.optional() });

/** What became of one item of a batch that was taken in part. */
export function outcomeOf<Fact extends z.ZodType>(fact: Fact, id: string) {
  const error = z.object({ path: z.string(), code: z.string(), message: z.string() });
  const outcome = z.object({
    index: z.int(),
    status: z.int().meta({ description: 'What the item would have been answered with alone: 201, 409, 422...' }),
    fact: fact.nullable(),
    problem: z.object({ code: z.string(), detail: z.string(), errors: z.array(error) }).nullable(),
  });
  return z.object({ data: z.array(outcome), warnings }).meta({ id });
}
