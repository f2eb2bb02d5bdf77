import { demoAddress } from '../../src/demo/demo.js';
import type { Config } from '../../src/kernel/config/config.js';
import { Rotation } from '../../src/kernel/secrets/rotation.js';
import { ConnectedPages } from '../../src/modules/messenger/connections/connected-pages.js';
import { insertConnection, insertInstagram, insertPageChoice } from '../support/messenger.js';
import { type Service, startService } from '../support/service.js';

/** Keys of tokens in tables that the service may not write: rotated all the same, and no token is lost for it. */

const key = (letter: string): string => Buffer.alloc(32, letter).toString('base64');
const before = `2025:${key('a')}`;
const owner = demoAddress('staff', 'northside');
const doctor = demoAddress('provider', 'northside');

let service: Service;
let underOldKey: { config: Config; database: Service['database'] };

beforeAll(async () => {
  service = await startService({ variables: { VAULT_KEYS: `2026:${key('b')},${before}` } });
  const { config, database } = service;
  underOldKey = { config: { ...config, secrets: { ...config.secrets, vaultKeys: before } }, database };
});
afterAll(() => service.stop());

const keyIds = async (): Promise<string[]> =>
  (
    await service.database.sql<{ sealed: string }>(
      `SELECT page_access_token_sealed AS sealed FROM messenger_connections
       UNION ALL SELECT instagram_access_token_sealed FROM doctor_instagram
       UNION ALL SELECT access_token_sealed FROM messenger_pending_connections`,
    )
  ).map(({ sealed }) => sealed.split('.')[1] ?? '');

it('seals the tokens of pages, accounts and choices anew, of a disabled owner, too', async () => {
  const page = await insertConnection(underOldKey, owner, { token: 'the page’s' });
  const account = await insertInstagram(underOldKey, doctor, { token: 'the account’s' });
  await insertPageChoice(underOldKey, owner);
  await service.database.sql('UPDATE auth.users SET disabled_at = now() WHERE email = $1', [owner]);
  expect(await keyIds()).toEqual(['2025', '2025', '2025']);

  const results = await service.application.get(Rotation).run();

  expect(results.filter(({ resealed }) => resealed > 0).map(({ table }) => table)).toEqual([
    ...['public.messenger_connections', 'public.doctor_instagram', 'public.messenger_pending_connections'],
  ]);
  expect(await keyIds()).toEqual(['2026', '2026', '2026']);
  const pages = service.application.get(ConnectedPages, { strict: false });
  const tokenOf = (ownerId: string, channel: 'messenger' | 'instagram', pageId: string) =>
    pages.withToken({ ownerId, channel, pageId }, async ({ token }) => token);
  expect(await tokenOf(page.ownerId, 'messenger', page.pageId)).toBe('the page’s');
  expect(await tokenOf(account.doctorId, 'instagram', account.pageId)).toBe('the account’s');
  expect((await service.application.get(Rotation).run()).every(({ resealed }) => resealed === 0)).toBe(true);
});

it('lets the service exchange a text only for the one that stands there', async () => {
  const [row] = await service.database.sql<{ id: string }>('SELECT id FROM messenger_connections');
  const exchange = (was: string) =>
    service.database.sql('SELECT app.reseal_connection_token($1, $2, $3) AS done', [row?.id, was, 'something else']);
  expect(await exchange('v1.2025.x.x.x')).toEqual([{ done: false }]);
  expect(await keyIds()).toEqual(['2026', '2026', '2026']);
});
