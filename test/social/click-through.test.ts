import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Browser, chromium, type Page } from 'playwright-core';
import { createTestDatabase, type TestDatabase, testServer } from '../support/database.js';
import { addressOf, launch, type ServiceProcess } from '../support/process.js';
import { programNamed } from '../support/programs.js';
import { expectNoTrace } from '../support/traces.js';

/** The demo as a newcomer clicks through it: a real browser, the built service, the emulator that it starts in Meta's place. */

let database: TestDatabase;
let service: ServiceProcess;
let url: string;
let metaUrl: string;
let browser: Browser;
let folder: string;
const complaints: string[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  folder = mkdtempSync(join(testServer().folder, 'clicks-'));
  mkdirSync(folder, { recursive: true });
  service = launch({
    ...{ PORT: '0', DEMO: 'true', DATA_DIR: folder, LOG_LEVEL: 'debug' },
    ...{ DATABASE_URL: database.apiUrl, MIGRATION_DATABASE_URL: database.adminUrl },
  });
  url = await addressOf(service);
  metaUrl = /emulator of Facebook and Instagram at (\S+)/.exec(service.output)?.[1] ?? '';
  browser = await chromium.launch({
    executablePath: programNamed('chromium'),
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
}, 60_000);
afterAll(async () => {
  await browser?.close();
  service?.child.kill('SIGTERM');
  await service?.ended;
  await database?.drop();
});

/** A browser of one's own, as another person has. */
async function openDemo(): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(20_000);
  page.on('console', (line) => line.type() === 'error' && complaints.push(line.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${url}/demo`);
  return page;
}

async function continueAs(page: Page, person: string): Promise<void> {
  await page.getByLabel(`${person} (`).check();
  await page.click('#continue');
}

async function control<T>(what: string, given?: object): Promise<T> {
  const asked = given && { method: 'POST', body: JSON.stringify(given) };
  return (await (await fetch(`${metaUrl}/_control/${what}`, asked)).json()) as T;
}

const textsOf = (page: Page, selector: string) => page.locator(selector).allTextContents();

describe('A newcomer', () => {
  let page: Page;
  beforeAll(async () => {
    page = await openDemo();
  });

  it('is told that nothing reaches Meta', async () => {
    expect(await page.textContent('#label')).toContain('nothing reaches Meta');
  });

  it('who cancels the dialog is logged in nowhere', async () => {
    await page.click('#facebook');
    await page.click('#cancel');
    await page.locator('#problem:visible').waitFor();
    expect(await page.evaluate('sessionStorage.getItem("tokens")')).toBeNull();
    expect(page.url()).toBe(`${url}/demo`);
  });

  it('logs in with Facebook, and no address on the way holds a token', async () => {
    const addresses: string[] = [];
    page.on('request', (request) => addresses.push(request.url()));
    await page.click('#facebook');
    await continueAs(page, 'Alex Demo');
    await page.getByText('Logged in as Alex Demo').waitFor();
    const tokens = JSON.parse(await page.evaluate('sessionStorage.getItem("tokens")'));
    const issued = [tokens.accessToken, tokens.refreshToken, ...(await control<string[]>('tokens'))];
    expect(addresses.filter((address) => issued.some((token) => address.includes(token)))).toEqual([]);
    expect(addresses.some((address) => address.startsWith(`${metaUrl}/v`))).toBe(true);
  });

  it('connects the only Instagram account at once', async () => {
    await page.click('#found button');
    await page.click('[data-connect="instagram"]');
    await continueAs(page, 'Alex Demo');
    await page.locator('#accounts li').first().waitFor();
    expect(await textsOf(page, '#accounts li')).toEqual([
      expect.stringMatching(/^northside\.dental on instagram: active$/),
    ]);
  });

  it('chooses among several pages, and nothing is connected before', async () => {
    await page.click('[data-connect="facebook"]');
    await continueAs(page, 'Alex Demo');
    await page.locator('#choice:visible').waitFor();
    expect(await textsOf(page, '#accounts li')).toHaveLength(1);
    await page.locator('#candidates label', { hasText: 'Northside Dental' }).locator('input').check();
    await page.click('#choice button');
    await page.getByText('Northside Dental on facebook: active').waitFor();
    expect(await textsOf(page, '#accounts li')).toHaveLength(2);
  });

  it.each(['instagram', 'facebook'])('publishes on %s, and finds the post behind its link', async (platform) => {
    const caption = `Seen on ${platform}`;
    const account = page.locator('#post select');
    await account.selectOption({
      label: (await textsOf(page, '#post option')).find((text) => text.includes(platform)) ?? '',
    });
    await page.fill('#post textarea', caption);
    await page.click('#post button');
    const row = page.locator('#posts tr', { hasText: caption });
    await row.and(page.locator('[data-status="published"]')).waitFor();
    const published = await control<{ caption: string }[]>('published');
    expect(published.filter((each) => each.caption === caption)).toHaveLength(1);
    expect(await row.locator('a').getAttribute('href')).toMatch(/^https?:\/\//);
  });

  it('sees what Meta counted of it', async () => {
    const [post] = await database.sql<{ id: string; accountId: string }>(
      `SELECT platform_post_id AS id, social_account_id AS "accountId" FROM social_media_posts WHERE platform = 'instagram' AND status = 'published' AND caption LIKE 'Seen on%'`,
    );
    await control('insights', { objectId: post?.id, likes: 12, comments: 3, shares: 4, saves: 1, reach: 200 });
    // What the clock does within the hour.
    await database.sql(
      `SELECT graphile_worker.add_job('social.read-account-analytics', json_build_object('accountId', $1::text))`,
      [post?.accountId],
    );
    const row = page.locator('#posts tr', { hasText: 'Seen on instagram' });
    for (let look = 0; look < 40 && !(await row.textContent())?.includes('10.00 %'); look += 1) {
      await pause(250);
      await page.reload();
      await row.waitFor();
    }
    expect(await row.textContent()).toContain('10.00 %');
  });

  it('met no complaint of the browser', () => {
    expect(complaints).toEqual([]);
  });
});

describe('Somebody whose address has a password', () => {
  it('logs in with it once, and from then on with Facebook', async () => {
    const email = 'owner@southbank.example';
    await control('people', { name: 'Owner of Southbank', email });
    const page = await openDemo();
    await page.click('#facebook');
    await continueAs(page, 'Owner of Southbank');
    await page.locator('#problem[data-code="link-required"]').waitFor();
    await page.fill('[name="email"]', email);
    await page.fill('[name="password"]', 'open-the-clinic');
    await page.click('#password button');
    await page.getByText('Logged in as').waitFor();
    await page.click('#logout');
    await page.locator('#login:visible').waitFor();
    await page.click('#facebook');
    await continueAs(page, 'Owner of Southbank');
    await page.getByText('Social accounts of Southbank Medical').waitFor();
  });
});

describe('A doctor', () => {
  const asked = 'Is there anything free on Friday? 🦷';
  const answered = 'On Friday at ten, if that suits you.';
  let page: Page;
  beforeAll(async () => {
    complaints.splice(0);
    page = await openDemo();
    await page.fill('[name="email"]', 'provider@northside.example');
    await page.fill('[name="password"]', 'open-the-clinic');
    await page.click('#password button');
    await page.locator('#messages:visible').waitFor();
  });
  const conversation = (name: string | RegExp) => page.locator('#conversations button', { hasText: name });
  const line = (text: string) => page.locator('#lines li', { hasText: text });
  const write = async (place: string, text: string) => {
    await page.selectOption('#patient select', { label: place });
    await page.fill('#patient [name="text"]', text);
    await page.click('#patient button[value="message"]');
  };

  it('finds who has written, at a page that is no longer connected', async () => {
    await conversation('Mara Lindqvist').waitFor();
    expect(await textsOf(page, '#conversations button')).toHaveLength(6);
    expect(await textsOf(page, '#answering li')).toEqual(['Northside Dental on Messenger: not connected']);
  });

  it('chooses the page at which to answer, and has one Instagram account that is connected at once', async () => {
    await page.click('[data-answer="page"]');
    await continueAs(page, 'Alex Demo');
    await page.locator('#place-choice:visible').waitFor();
    expect(await textsOf(page, '#answering li')).toEqual(['Northside Dental on Messenger: not connected']);
    await page.locator('#places label', { hasText: 'Northside Dental' }).locator('input').check();
    await page.click('#place-choice button');
    await page.getByText('Northside Dental on Messenger: connected').waitFor();
    await page.click('[data-answer="instagram"]');
    await continueAs(page, 'Alex Demo');
    await page.getByText('northside.dental on Instagram: connected').waitFor();
  });

  it.each([
    ['Northside Dental (Messenger)', 'messenger', 'delivered'],
    ['northside.dental (Instagram)', 'instagram', 'sent'],
  ])('reads what is written to %s as it comes, answers, and sees that it was read', async (place, channel, status) => {
    await write(place, asked);
    // Meta is asked for the name of a new one; until it has told it, the conversation stands there without.
    await conversation(new RegExp(`^(Kim Example|Somebody) on ${channel}`)).click();
    await line(asked).waitFor();
    await page.fill('#reply textarea', answered);
    await page.click('#reply button');
    const answer = line(answered);
    await answer.and(page.locator(`[data-status="${status}"]`)).waitFor();
    await page.click('#patient button[value="read"]');
    await answer.and(page.locator('[data-status="read"]')).waitFor();
    const standing = await control<{ text: string; channel: string }[]>('messages');
    expect(standing.filter((each) => each.text === answered && each.channel === channel)).toHaveLength(1);
  });

  it('goes on with a conversation of before, and sees the next line while it is open', async () => {
    await conversation('Mara Lindqvist').click();
    await line('Thursday would be best.').waitFor();
    await page.fill('#reply textarea', 'Thursday at four.');
    await page.click('#reply button');
    await line('Thursday at four.').and(page.locator('[data-status="delivered"]')).waitFor();
    await page.fill('#patient [name="from"]', 'Mara Lindqvist');
    await write('Northside Dental (Messenger)', 'We will be there.');
    await line('We will be there.').waitFor();
  });

  it('met no complaint of the browser', () => {
    expect(complaints).toEqual([]);
  });
});

describe('What the run has written', () => {
  it('holds none of the tokens that Meta gave, and its logs no caption and nothing that was said', async () => {
    const issued = await control<string[]>('tokens');
    expect(issued.length).toBeGreaterThan(3);
    const captions = ['Seen on instagram', 'Seen on facebook', 'Kim Example', 'Mara Lindqvist'];
    const said = ['anything free on Friday', 'if that suits you', 'Thursday at four', 'We will be there'];
    const secrets = [...issued, 'emulator-secret', ...said];
    await expectNoTrace({ database, processes: [service], folders: [folder], secrets, captions });
  }, 30_000);
});
