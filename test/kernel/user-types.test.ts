import { Controller, Get } from '@nestjs/common';
import { z } from 'zod';
import { demoAddress, demoAdmin } from '../../src/demo/demo.js';
import { Operation } from '../../src/kernel/http/operation.decorator.js';
import { describeAccess, signedInAs } from '../../src/kernel/tenancy/access.js';
import { Database } from '../../src/kernel/tenancy/database.js';
import { type Answer, type Service, startService } from '../support/service.js';

@Controller('surgery')
class SurgeryController {
  constructor(private readonly database: Database) {}

  @Get()
  @Operation({
    id: 'probeSurgery',
    summary: 'For those who treat',
    access: signedInAs('provider'),
    answers: z.object({ done: z.boolean() }),
  })
  async read(): Promise<{ done: boolean }> {
    await this.database.query('SELECT 1');
    return { done: true };
  }
}

let service: Service;
beforeAll(async () => {
  service = await startService({ controllers: [SurgeryController] });
});
afterAll(() => service.stop());

const outcome = ({ status, body }: Answer) => [status, body.code ?? body.done];
const read = async (email?: string) =>
  service.call('GET', '/surgery', email ? { token: await service.tokenOf(email) } : {});

describe('A route for users of one type', () => {
  it('takes them', async () => {
    expect(outcome(await read(demoAddress('viewer', 'northside')))).toEqual([200, true]);
  });

  it.each([...['patient', 'research-partner', 'developer'].map((type) => demoAddress(type, 'northside')), demoAdmin])(
    'refuses %s',
    async (email) => {
      expect(outcome(await read(email))).toEqual([403, 'forbidden']);
    },
  );

  it('asks anybody else to log in', async () => {
    expect(outcome(await read())).toEqual([401, 'unauthenticated']);
  });

  it('refuses at once whoever is of that type no more', async () => {
    const email = demoAddress('staff', 'northside');
    expect(outcome(await read(email))).toEqual([200, true]);
    await service.database.sql(`UPDATE profiles SET user_type = 'patient' WHERE email = $1`, [email]);
    expect(outcome(await read(email))).toEqual([401, 'token-outdated']);
  });

  it('says so in its description', () => {
    expect(describeAccess(signedInAs('provider'))).toBe('users of type `provider`');
  });
});
