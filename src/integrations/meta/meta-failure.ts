/**
 * What went wrong, as far as somebody can do something about it:
 * - `not-configured`: the installation has no app of Meta, or Meta does not know it
 * - `code-refused`: a code of the log-in dialog that is wrong, used or too old
 * - `token-invalid`: a token that has expired or was revoked: a new consent is needed
 * - `permission-missing`: the consent does not cover this
 * - `rate-limited`, `unavailable`: later it may well succeed
 * - `outside-window`: the person wrote too long ago to be answered
 * - `recipient-unavailable`: the person cannot be written to: gone, blocked us, or never wrote to this page
 * - `not-found`, `refused`: an object that is not there; a request that Meta calls wrong
 */
export type MetaFailureKind =
  | 'not-configured'
  | 'code-refused'
  | 'token-invalid'
  | 'permission-missing'
  | 'rate-limited'
  | 'outside-window'
  | 'recipient-unavailable'
  | 'not-found'
  | 'refused'
  | 'unavailable';

interface MetaFailureDetails {
  /** `error.code` and `error.error_subcode` of the Graph API. */
  graphCode?: number | undefined;
  graphSubcode?: number | undefined;
  /** Seconds, where Meta named them. */
  retryAfter?: number | undefined;
  mayHaveHappened?: boolean | undefined;
}

/** A call to Meta that failed. It holds nothing that Meta said in words: that may quote what it was given. */
export class MetaFailure extends Error {
  override readonly name = 'MetaFailure';
  /** As other errors have it: what may stand in a log. */
  readonly code: MetaFailureKind;
  readonly graphCode: number | undefined;
  readonly graphSubcode: number | undefined;
  readonly retryAfter: number | undefined;
  /**
   * Whether a request that changes something may have been carried out although no good answer came: it was sent, and
   * then there was a time-out, a cut, a 5xx, Graph's code 1 or 2, or an answer that cannot be read. Never so for reads.
   */
  readonly mayHaveHappened: boolean;

  constructor(
    readonly kind: MetaFailureKind,
    { graphCode, graphSubcode, retryAfter, mayHaveHappened = false }: MetaFailureDetails = {},
  ) {
    super(`Meta: ${[kind, graphCode, graphSubcode].filter((part) => part !== undefined).join(' ')}`);
    this.code = kind;
    this.graphCode = graphCode;
    this.graphSubcode = graphSubcode;
    this.retryAfter = retryAfter;
    this.mayHaveHappened = mayHaveHappened;
  }
}
