/** What leaves once the transaction is committed: already cut down to the route's schema. */
export interface Answer {
  status: number;
  body: unknown;
  location?: string;
  /** It was stored by an earlier request with the same Idempotency-Key. */
  replayed?: boolean;
}
