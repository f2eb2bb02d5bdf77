import { z } from 'zod';

export const BusinessDay = z.iso
  .date()
  .meta({ description: "A business day in the clinic's time zone.", examples: ['2026-03-31'] });
