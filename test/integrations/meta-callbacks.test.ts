import 'reflect-metadata';
import { createHmac } from 'node:crypto';
import { Global, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { pino } from 'pino';
import { MetaModule } from '../../src/integrations/meta/meta.module.js';
import {
  ForgetsMetaUser,
  HearsOfDeauthorization,
  MetaDataHolders,
  NeedsMetaConsent,
} from '../../src/integrations/meta/meta-data-holders.js';
import { SignedRequests } from '../../src/integrations/meta/signed-requests.js';
import { loadConfig } from '../../src/kernel/config/config.js';
import { ConfigModule } from '../../src/kernel/config/config.module.js';
import { LOGGER } from '../../src/kernel/observability/logger.js';

/** What Meta calls us for: signed requests, and who is told of them. */

const secret = 'the-secret-of-the-app';
const wellFormed = { algorithm: 'HMAC-SHA256', user_id: '218471', issued_at: 1_291_836_800 };

function signed(payload: unknown, { key = secret, change = (encoded: string) => encoded } = {}): string {
  const encoded = Buffer.from(JSON.stringify(payload)).toString('base64url');
  return `${createHmac('sha256', key).update(encoded).digest('base64url')}.${change(encoded)}`;
}

describe('A signed request', () => {
  const requests = new SignedRequests([secret, 'the-secret-before-it']);

  it('says whose it is, and when it was made', () => {
    const opened = { userId: '218471', issuedAt: new Date(1_291_836_800_000) };
    expect(requests.open(signed(wellFormed))).toEqual(opened);
    expect(requests.open(signed({ ...wellFormed, expires: 1, oauth_token: 'x' }))).toEqual(opened);
    // PHP's examples pad base64; some of Meta's senders do.
    const [signature, payload] = signed(wellFormed).split('.');
    expect(requests.open(`${signature}=.${payload}==`)).toEqual(opened);
  });

  it.each([
    ['signed with another secret', signed(wellFormed, { key: 'another' })],
    [
      'changed after it was signed',
      signed(wellFormed, {
        change: () => Buffer.from(JSON.stringify({ ...wellFormed, user_id: '1' })).toString('base64url'),
      }),
    ],
    ['without a signature', `.${signed(wellFormed).split('.')[1]}`],
    ['with a cut signature', signed(wellFormed).slice(1)],
    ['of another algorithm', signed({ ...wellFormed, algorithm: 'none' })],
    ['without an algorithm', signed({ ...wellFormed, algorithm: undefined })],
    ['of nobody', signed({ ...wellFormed, user_id: undefined })],
    ['of an id that is none', signed({ ...wellFormed, user_id: '1; drop' })],
    ['without a time', signed({ ...wellFormed, issued_at: undefined })],
    ['of no object', signed('text')],
    ['empty', ''],
    ['too long', signed({ ...wellFormed, more: 'x'.repeat(5000) })],
  ])('is not taken: %s', (_, request) => {
    expect(requests.open(request)).toBeUndefined();
  });

  it('may be of the secret before, while it is being changed', () => {
    expect(requests.open(signed(wellFormed, { key: 'the-secret-before-it' }))).toBeDefined();
  });

  it('is not taken where there is no app', () => {
    expect(new SignedRequests([]).open(signed(wellFormed, { key: '' }))).toBeUndefined();
    expect(new SignedRequests(['']).open(signed(wellFormed, { key: '' }))).toBeUndefined();
  });
});

describe('Holders of data from Meta', () => {
  const heard: string[] = [];
  const needed: string[] = [];
  let isBroken = false;

  @Injectable()
  class Identities {
    private readonly name = 'identities';
    @ForgetsMetaUser()
    async forget(facebookUserId: string): Promise<void> {
      if (isBroken) throw new Error('The database is away.');
      heard.push(`${this.name} forget ${facebookUserId}`);
    }
    @NeedsMetaConsent(['of_accounts', 'of_both'])
    async isKnown(facebookUserId: string): Promise<boolean> {
      if (isBroken) throw new Error('The database is away.');
      return needed.includes(`${this.name} ${facebookUserId}`);
    }
    async forgetNothing(): Promise<void> {
      heard.push('never');
    }
  }
  @Injectable()
  class Accounts {
    @ForgetsMetaUser()
    async remove(facebookUserId: string): Promise<void> {
      heard.push(`accounts forget ${facebookUserId}`);
    }
    @HearsOfDeauthorization()
    async disconnect(facebookUserId: string): Promise<void> {
      heard.push(`accounts disconnect ${facebookUserId}`);
    }
    @NeedsMetaConsent(['of_identities', 'of_both'])
    async hasConnected(facebookUserId: string): Promise<boolean> {
      return needed.includes(`accounts ${facebookUserId}`);
    }
  }
  @Module({ providers: [Identities] })
  class OneModule {}
  @Module({ imports: [MetaModule], providers: [Accounts] })
  class OtherModule {}
  @Global()
  @Module({ providers: [{ provide: LOGGER, useValue: pino({ enabled: false }) }], exports: [LOGGER] })
  class SilentModule {}
  @Module({
    imports: [SilentModule, ConfigModule.with(loadConfig({ NODE_ENV: 'test' })), MetaModule, OneModule, OtherModule],
  })
  class WholeModule {}

  let holders: MetaDataHolders;
  let close: () => Promise<void>;
  beforeAll(async () => {
    const application = await NestFactory.createApplicationContext(WholeModule, { logger: false });
    holders = application.get(MetaDataHolders);
    close = () => application.close();
  });
  afterAll(() => close());
  beforeEach(() => {
    heard.length = 0;
    needed.length = 0;
    isBroken = false;
  });

  it('are all told, wherever they are, once each', async () => {
    await holders.forget('42');
    expect(heard.sort()).toEqual(['accounts forget 42', 'identities forget 42']);
    await holders.deauthorized('43', new Date());
    expect(heard).toContain('accounts disconnect 43');
    expect(heard).toHaveLength(3);
  });

  it('forget although another fails, which is told to whoever asked', async () => {
    isBroken = true;
    await expect(holders.forget('42')).rejects.toThrow('The database is away.');
    expect(heard).toEqual(['accounts forget 42']);
  });

  it('need a consent when any one of them does', async () => {
    expect(await holders.isNeeded('42')).toBe(false);
    needed.push('accounts 42');
    expect(await holders.isNeeded('42')).toBe(true);
    needed.splice(0, 1, 'identities 42');
    expect(await holders.isNeeded('42')).toBe(true);
    expect(await holders.isNeeded('43')).toBe(false);
    expect(heard).toEqual([]);
  });

  it('tell together what people are asked for, each once', () => {
    expect([...holders.scopes].sort()).toEqual(['of_accounts', 'of_both', 'of_identities']);
  });

  it('do not let a consent go while one of them cannot say whether it needs it', async () => {
    isBroken = true;
    await expect(holders.isNeeded('42')).rejects.toThrow('The database is away.');
  });
});
