export const invitationStates = ['pending', 'accepted', 'revoked', 'expired'] as const;
export type InvitationState = (typeof invitationStates)[number];

/** What may become of an invitation. A CHECK of the table holds that none is both accepted and revoked. */
export const invitationTransitions: Record<InvitationState, readonly InvitationState[]> = {
  pending: ['accepted', 'revoked', 'expired'],
  accepted: [],
  revoked: [],
  expired: [],
};

interface InvitationTimes {
  acceptedAt: Date | null;
  revokedAt: Date | null;
  expiresAt: Date;
}

/** The state is derived: an invitation expires without anybody writing it down. */
export function stateOf({ acceptedAt, revokedAt, expiresAt }: InvitationTimes, now = new Date()): InvitationState {
  if (acceptedAt) return 'accepted';
  // One that had expired is closed to make room for another to the same address; that does not change what it was.
  if (revokedAt) return revokedAt < expiresAt ? 'revoked' : 'expired';
  return expiresAt > now ? 'pending' : 'expired';
}
