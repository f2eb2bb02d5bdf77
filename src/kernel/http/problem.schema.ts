import { z } from 'zod';

/** RFC 9457 with our members: `code` to branch on, `requestId` to report, `errors` for single fields. */
export const Problem = z
  .object({
    type: z.string().meta({ description: 'The address of the page that explains the code.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().meta({ description: 'The path that was asked for.' }),
    code: z.string().meta({ description: 'Stable and kebab-case; see docs/errors.md.' }),
    requestId: z.string(),
    errors: z.array(z.object({ path: z.string(), code: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem' });

export type Problem = z.infer<typeof Problem>;
