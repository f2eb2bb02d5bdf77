import { z } from 'zod';
import { pageOf, pageQuery } from '../../../kernel/http/page.js';
import { Line, Timestamp, Uuid } from '../../../kernel/http/primitives.js';
import { isNpi } from './npi.js';

const Status = z.enum(['active', 'inactive']);
const Npi = z
  .string()
  .refine(isNpi, 'is not a National Provider Identifier')
  .meta({ examples: ['1234567893'] });

export const Provider = z
  .object({
    id: Uuid,
    clinicId: Uuid,
    userId: Uuid.nullable(),
    name: z.string(),
    providerType: z.string().nullable(),
    specialty: z.string().nullable(),
    licenseNumber: z.string().nullable(),
    npiNumber: z.string().nullable(),
    status: Status,
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'Provider' });
export type Provider = z.input<typeof Provider>;

export const Providers = pageOf(Provider, 'Providers');
export type Providers = z.input<typeof Providers>;
export const ProvidersQuery = pageQuery.extend({ status: Status.optional() });
export type ProvidersQuery = z.infer<typeof ProvidersQuery>;

export const ProviderChanges = z
  .strictObject({
    userId: Uuid.nullable().meta({ description: 'A member of this clinic.' }),
    name: Line,
    providerType: Line.nullable(),
    specialty: Line.nullable(),
    licenseNumber: Line.nullable(),
    npiNumber: Npi.nullable(),
    status: Status,
  })
  .partial()
  .meta({ id: 'ProviderChanges' });
export type ProviderChanges = z.infer<typeof ProviderChanges>;

export const NewProvider = ProviderChanges.required({ name: true }).meta({ id: 'NewProvider' });
export type NewProvider = z.infer<typeof NewProvider>;
