import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { GoogleAccounts, type GoogleTokens as Tokens } from '../../../integrations/google/google-accounts.js';
import { GoogleFailure } from '../../../integrations/google/google-failure.js';
import { CONFIG, type Config } from '../../../kernel/config/config.js';
import { declareSealedColumn } from '../../../kernel/secrets/sealed-columns.js';
import { Vault } from '../../../kernel/secrets/vault.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { Transactions } from '../../../kernel/tenancy/transactions.js';
import { GoogleReauthorize } from './sheets.errors.js';

const table = 'public.google_credentials';
const accessColumn = { table, column: 'access_token_sealed' };
const refreshColumn = { table, column: 'refresh_token_sealed' };
declareSealedColumn(accessColumn);
declareSealedColumn(refreshColumn);

const pollMs = 100;

interface HeldTokens {
  status: 'pending' | 'active' | 'reauthorize';
  accessTokenSealed: string | null;
  isFresh: boolean;
}

/**
 * The tokens at rest. They are opened here and nowhere else, for the length of a call; no route ever answers one.
 *
 * Calls to Google stand between transactions: claim, ask, record.
 */
@Injectable()
export class GoogleTokens {
  constructor(
    private readonly transactions: Transactions,
    private readonly database: Database,
    private readonly vault: Vault,
    private readonly accounts: GoogleAccounts,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Keeps what a consent gave, and lets the connections that waited for it go on. */
  async keep(credentialId: string, tokens: Tokens): Promise<void> {
    const values = [credentialId, ...this.sealed(credentialId, tokens), tokens.scopes, tokens.email];
    await this.transactions.runAs({ service: 'connect Google' }, async () => {
      await this.database.query(keepTokens, values);
      await this.database.query(resumeConnections, [credentialId]);
    });
  }

  /**
   * Makes a call with a valid access token. One that Google does not take before its time is renewed, once.
   *
   * @throws GoogleReauthorize once the consent is at its end
   * @throws GoogleFailure for everything else that goes wrong there
   */
  async call<T>(credentialId: string, work: (accessToken: string) => Promise<T>): Promise<T> {
    const token = await this.accessToken(credentialId);
    try {
      return await work(token.text);
    } catch (error) {
      if (!isUnauthorised(error)) throw error;
    }
    await this.asService(() => this.database.query(expireToken, [credentialId, token.sealed]));
    const renewed = await this.accessToken(credentialId);
    try {
      return await work(renewed.text);
    } catch (error) {
      if (isUnauthorised(error)) await this.giveUp(endRefused, [credentialId, renewed.sealed]);
      throw isUnauthorised(error) ? new GoogleReauthorize() : error;
    }
  }

  /** Ends the consent at Google, if Google can be reached and the token opened: what rests here goes in any case. */
  async revoke(credentialId: string): Promise<void> {
    const held = await this.asService(() =>
      this.database.first<{ sealed: string | null }>(readRefresh, [credentialId]),
    );
    if (!held?.sealed) return;
    try {
      await this.accounts.revoke(this.vault.open(held.sealed, { ...refreshColumn, rowId: credentialId }));
    } catch {
      // The person can still end the consent in the settings of their Google account.
    }
  }

  private async accessToken(credentialId: string): Promise<{ text: string; sealed: string }> {
    const deadline = Date.now() + this.leaseMs;
    for (;;) {
      const held = await this.asService(() => this.database.first<HeldTokens>(readAccess, [credentialId]));
      if (held?.status !== 'active' || !held.accessTokenSealed) throw new GoogleReauthorize();
      const sealed = held.accessTokenSealed;
      if (held.isFresh) return { sealed, text: this.vault.open(sealed, { ...accessColumn, rowId: credentialId }) };
      await this.refresh(credentialId);
      if (Date.now() > deadline) throw new GoogleFailure('unavailable');
      await pause(pollMs);
    }
  }

  /** Of all who find the token expired one asks Google; the others come back until the new one is there. */
  private async refresh(credentialId: string): Promise<void> {
    const claim = () => this.database.first<{ sealed: string }>(claimRefresh, [credentialId, `${this.leaseMs} ms`]);
    const claimed = await this.asService(claim);
    if (!claimed) return;
    try {
      const tokens = await this.accounts.refresh(
        this.vault.open(claimed.sealed, { ...refreshColumn, rowId: credentialId }),
      );
      const values = [credentialId, ...this.sealed(credentialId, tokens), claimed.sealed];
      await this.asService(() => this.database.query(recordRefresh, values));
    } catch (error) {
      await this.asService(() => this.database.query(releaseRefresh, [credentialId, claimed.sealed]));
      if (!(error instanceof GoogleFailure) || error.kind !== 'invalid-grant') throw error;
      await this.giveUp(endRevoked, [credentialId, claimed.sealed]);
    }
  }

  /** Unless the person has consented anew meanwhile: what Google refused was the token of before. */
  private async giveUp(statement: string, values: [credentialId: string, sealed: string]): Promise<void> {
    await this.asService(async () => {
      const ended = await this.database.first<{ id: string }>(statement, values);
      if (ended) await this.database.query(stopConnections, [ended.id]);
    });
  }

  private sealed(rowId: string, { accessToken, refreshToken, expiresAt }: Tokens): unknown[] {
    const refresh = refreshToken && this.vault.seal(refreshToken, { ...refreshColumn, rowId });
    return [this.vault.seal(accessToken, { ...accessColumn, rowId }), refresh, expiresAt];
  }

  /** Longer than Google may take to answer: a claim that is older was left by a process that is gone. */
  private get leaseMs(): number {
    return this.config.google.timeoutMs * 2;
  }

  private asService<T>(work: () => Promise<T>): Promise<T> {
    return this.transactions.runAs({ service: 'synchronise sheets' }, work);
  }
}

const isUnauthorised = (error: unknown): boolean => error instanceof GoogleFailure && error.kind === 'unauthorised';

const keepTokens = `
  UPDATE ${table}
     SET access_token_sealed = $2, refresh_token_sealed = $3, expires_at = $4, scopes = $5, google_email = $6,
         status = 'active', refreshing_until = NULL
   WHERE id = $1`;

const resumeConnections = `
  UPDATE public.spreadsheet_connections SET sync_status = 'idle', last_problem = NULL
   WHERE google_credential_id = $1 AND sync_status = 'reauthorize'`;

const stopConnections = `
  UPDATE public.spreadsheet_connections SET sync_status = 'reauthorize', last_problem = 'google-reauthorize'
   WHERE google_credential_id = $1 AND sync_status <> 'reauthorize'`;

/** A minute of margin: for the call itself, and for clocks that differ. */
const readAccess = `
  SELECT status, access_token_sealed, expires_at > now() + interval '1 minute' AS is_fresh FROM ${table} WHERE id = $1`;

const readRefresh = `SELECT refresh_token_sealed AS sealed FROM ${table} WHERE id = $1`;

const claimRefresh = `
  UPDATE ${table} SET refreshing_until = clock_timestamp() + $2::interval
   WHERE id = $1 AND status = 'active' AND expires_at <= now() + interval '1 minute'
     AND (refreshing_until IS NULL OR refreshing_until < clock_timestamp())
  RETURNING refresh_token_sealed AS sealed`;

/** Google may give a new refresh token, and seldom does. Only of the consent that was renewed: a new one may have come. */
const recordRefresh = `
  UPDATE ${table}
     SET access_token_sealed = $2, refresh_token_sealed = coalesce($3, refresh_token_sealed), expires_at = $4,
         refreshing_until = NULL
   WHERE id = $1 AND refresh_token_sealed = $5`;

const releaseRefresh = `UPDATE ${table} SET refreshing_until = NULL WHERE id = $1 AND refresh_token_sealed = $2`;

const endRevoked = `
  UPDATE ${table} SET status = 'reauthorize' WHERE id = $1 AND refresh_token_sealed = $2 RETURNING id`;

const endRefused = `
  UPDATE ${table} SET status = 'reauthorize' WHERE id = $1 AND access_token_sealed = $2 RETURNING id`;

/** Only the token that was refused: somebody else may have renewed it meanwhile. */
const expireToken = `UPDATE ${table} SET expires_at = now() WHERE id = $1 AND access_token_sealed = $2`;
