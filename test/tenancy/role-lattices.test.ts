import fc from 'fast-check';
import { clinicRoles, organisationRoles } from '../../src/kernel/tenancy/actor.js';
import { createTestDatabase } from '../support/database.js';

describe('The role lattices', () => {
  it('are in the code what they are in the database, in the same order', async () => {
    const database = await createTestDatabase();
    const [row] = await database.sql<{ clinic: string; organisation: string }>(
      `SELECT enum_range(NULL::app.clinic_role)::text AS clinic, enum_range(NULL::app.organisation_role)::text AS organisation`,
    );
    await database.drop();
    expect(row).toEqual({ clinic: `{${clinicRoles.join(',')}}`, organisation: `{${organisationRoles.join(',')}}` });
  });

  it('let somebody do what the roles below may, and nothing that is kept for those above', async () => {
    const database = await createTestDatabase();
    const order = fc.tuple(fc.constantFrom(...clinicRoles), fc.constantFrom(...clinicRoles));
    await fc.assert(
      fc.asyncProperty(order, async ([held, asked]) => {
        const [row] = await database.sql<{ may: boolean }>(
          `SELECT check_clinic_access(r.user_id, r.clinic_id, $2) AS may FROM user_clinic_roles r WHERE r.role = $1::app.clinic_role LIMIT 1`,
          [held, asked],
        );
        expect(row?.may).toBe(clinicRoles.indexOf(held) >= clinicRoles.indexOf(asked));
      }),
      { numRuns: 40 },
    );
    await database.drop();
  });
});
