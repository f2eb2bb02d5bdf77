import { createHash, createHmac, randomBytes } from 'node:crypto';
import { invalidToken, missingProof, noToken, unparsableToken, wrongProof } from './graph-errors.ts';
import type { World } from './world.ts';

export interface App {
  id: string;
  secret: string;
  /** `*` takes any, for a demonstration. */
  redirectUris: string[];
  /** 'Require App Secret' in the app's settings. */
  requiresProof: boolean;
  /** Code 506. Off, so that whoever posts twice is seen on the page rather than stopped here. */
  refusesDuplicates: boolean;
}

/** What a person allows the app, until she takes it back; every token that was made of it follows it. */
export interface Grant {
  personId: string;
  scopes: Set<string>;
  declined: Set<string>;
  pageIds: Set<string>;
}

export interface Token {
  value: string;
  kind: 'USER' | 'PAGE' | 'APP';
  appId: string;
  grant: Grant | undefined;
  pageId: string | undefined;
  isLongLived: boolean;
  issuedAt: number;
  /** null: never */
  expiresAt: number | null;
  dataAccessExpiresAt: number | null;
  endedBy: 458 | 460 | undefined;
}

export interface AuthorizationCode {
  grant: Grant;
  redirectUri: string;
  challenge: string | undefined;
  expiresAt: number;
  isUsed: boolean;
}

const minute = 60_000;
const day = 24 * 60 * minute;
const lifeOf = { code: 10 * minute, short: 60 * minute, long: 60 * day, dataAccess: 90 * day };

export const demoApp: App = {
  id: 'emulator-app',
  secret: 'emulator-secret',
  redirectUris: ['*'],
  requiresProof: true,
  refusesDuplicates: false,
};

/** Every token that ever left the emulator, of this process: what a run must not have written anywhere. */
const everIssued: string[] = [];
export const issuedTokens = (): readonly string[] => everIssued;

/** Consents, and the codes and tokens that stand for them. */
export class Tokens {
  app: App = { ...demoApp };
  private readonly grants = new Map<string, Grant>();
  private readonly codes = new Map<string, AuthorizationCode>();
  private readonly tokens = new Map<string, Token>();
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  grantOf(personId: string): Grant | undefined {
    return this.grants.get(personId);
  }

  /** What the dialog decided. Boxes that were shown and left empty are taken back. */
  consent(given: { personId: string; asked: string[]; granted: string[]; pageIds: string[] | undefined }): Grant {
    const { personId, asked, granted, pageIds } = given;
    const grant = this.grants.get(personId) ?? noGrant(personId);
    for (const scope of asked) granted.includes(scope) ? grant.declined.delete(scope) : grant.declined.add(scope);
    grant.scopes = new Set(['public_profile', ...grant.scopes, ...granted].filter((each) => !grant.declined.has(each)));
    if (pageIds) grant.pageIds = new Set(pageIds);
    this.grants.set(personId, grant);
    return grant;
  }

  giveCode(grant: Grant, redirectUri: string, challenge: string | undefined): string {
    const code = `AQ${randomBytes(60).toString('base64url')}`;
    const expiresAt = this.world.now() + lifeOf.code;
    this.codes.set(code, { grant, redirectUri, challenge, expiresAt, isUsed: false });
    return code;
  }

  code(code: string): AuthorizationCode | undefined {
    return this.codes.get(code);
  }

  issueForPerson(grant: Grant, isLongLived: boolean): Token {
    return this.issue({ kind: 'USER', grant, isLongLived, lifeMs: isLongLived ? lifeOf.long : lifeOf.short });
  }

  /** A token that came by another way, as an app on a phone gets one; of another app where its id is given. */
  hand(given: { personId: string; scopes: string[]; pageIds: string[]; seconds: number; appId?: string }): Token {
    const { personId, scopes, pageIds, seconds, appId } = given;
    const consented = { personId, asked: scopes, granted: scopes, pageIds };
    const foreign = { ...noGrant(personId), scopes: new Set(scopes) };
    const grant = appId ? foreign : this.consent(consented);
    return this.issue({ kind: 'USER', grant, isLongLived: true, lifeMs: seconds * 1000, appId });
  }

  issueForApp(): Token {
    return this.issue({ kind: 'APP', isLongLived: true, lifeMs: null });
  }

  /** A page's token lasts as long as the short-lived token it was asked with; from a long-lived one it never ends. */
  issueForPage(user: Token, pageId: string): Token {
    for (const token of this.tokens.values())
      if (token.pageId === pageId && token.grant === user.grant && token.isLongLived === user.isLongLived)
        if (!this.endOf(token)) return token;
    const lifeMs = user.isLongLived ? null : lifeOf.short;
    return this.issue({ kind: 'PAGE', grant: user.grant, pageId, isLongLived: user.isLongLived, lifeMs });
  }

  find(value: string): Token | undefined {
    const [appId, secret] = value.split('|');
    if (appId === this.app.id && secret === this.app.secret) return appTokenOf(value, this.app);
    return this.tokens.get(value);
  }

  /** Why a token is worth nothing any more: the subcode of 190. */
  endOf(token: Token): 458 | 460 | 463 | undefined {
    if (token.endedBy) return token.endedBy;
    return token.expiresAt !== null && token.expiresAt <= this.world.now() ? 463 : undefined;
  }

  /** https://developers.facebook.com/docs/graph-api/guides/secure-requests */
  proofFor(value: string): string {
    return createHmac('sha256', this.app.secret).update(value).digest('hex');
  }

  /** The token of a call, proven to come from the app itself. */
  authenticate(value: string | undefined, proof: string | null): Token {
    if (!value) throw noToken();
    const token = this.find(value);
    if (!token) throw unparsableToken();
    if (!proof && this.app.requiresProof && token.kind !== 'APP') throw missingProof();
    if (proof && (proof !== this.proofFor(value) || token.appId !== this.app.id)) throw wrongProof();
    const end = this.endOf(token);
    if (end) throw invalidToken(end, new Date(token.expiresAt ?? this.world.now()));
    return token;
  }

  expire(personId?: string): void {
    for (const token of this.tokens.values())
      if (!personId || token.grant?.personId === personId) token.expiresAt = this.world.now() - 1;
  }

  /** 460: as after a change of the password; 458: the app is removed, and what was allowed with it. */
  revoke(personId: string, endedBy: 458 | 460): void {
    for (const token of this.tokens.values())
      if (token.grant?.personId === personId) token.endedBy = token.endedBy ?? endedBy;
    if (endedBy === 458) this.grants.delete(personId);
  }

  /** When the tokens of a person end that are alive; in seconds from now. */
  endIn(personId: string, seconds: number): void {
    for (const token of this.tokens.values())
      if (token.grant?.personId === personId && !this.endOf(token)) token.expiresAt = this.world.now() + seconds * 1000;
  }

  private issue(
    given: Pick<Token, 'kind' | 'isLongLived'> & {
      grant?: Grant;
      pageId?: string;
      appId?: string;
      lifeMs: number | null;
    },
  ): Token {
    const { kind, isLongLived, grant, pageId, lifeMs, appId = this.app.id } = given;
    const issuedAt = this.world.now();
    const value = kind === 'APP' ? `${this.app.id}|${random(20)}` : `EAAE${random(90)}`;
    const expiresAt = lifeMs === null ? null : issuedAt + lifeMs;
    const dataAccessExpiresAt = kind === 'APP' ? null : issuedAt + lifeOf.dataAccess;
    const times = { issuedAt, expiresAt, dataAccessExpiresAt, endedBy: undefined };
    const token: Token = { value, kind, appId, grant, pageId, isLongLived, ...times };
    this.tokens.set(value, token);
    everIssued.push(value);
    return token;
  }
}

const noGrant = (personId: string): Grant => ({
  personId,
  scopes: new Set(),
  declined: new Set(),
  pageIds: new Set(),
});

/** `app-id|app-secret`, which Meta takes in place of an app token. */
function appTokenOf(value: string, { id }: App): Token {
  const times = { issuedAt: 0, expiresAt: null, dataAccessExpiresAt: null, endedBy: undefined };
  return { value, kind: 'APP', appId: id, grant: undefined, pageId: undefined, isLongLived: true, ...times };
}

const random = (bytes: number): string =>
  randomBytes(bytes).toString('base64url').replaceAll('-', 'Z').replaceAll('_', 'Y');

/** RFC 7636 section 4.6. */
export const challengeOf = (verifier: string): string => createHash('sha256').update(verifier).digest('base64url');
