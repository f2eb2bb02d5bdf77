import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { AttemptLimits } from '../../../kernel/http/attempt-limits.js';
import { Passwords } from '../../../kernel/secrets/passwords.js';
import type { Client } from '../../../kernel/tenancy/current-client.decorator.js';
import { Database } from '../../../kernel/tenancy/database.js';
import { InvitationNotFound } from '../clinics.errors.js';
import type { Acceptance, Accepted } from './invitations.schemas.js';

interface Invited {
  email: string;
  /** Somebody has an account with the address and has proven that it is theirs. */
  isProven: boolean;
}

/** Accepting an invitation, with or without an account. */
@Injectable()
export class AcceptanceService {
  constructor(
    private readonly database: Database,
    private readonly passwords: Passwords,
    private readonly attempts: AttemptLimits,
  ) {}

  /** @throws InvitationNotFound, InvitationForAnotherAddress, AccountNeeded, PasswordTooCommon, ClinicInactive */
  async accept({ token, invitationId, account }: Acceptance, client: Client): Promise<Accepted> {
    await this.attempts.begin('token', { source: client.address });
    const tokenHash = token === undefined ? null : createHash('sha256').update(token).digest('base64url');
    const passwordHash = await this.hashFor(tokenHash, account?.password);
    const names = [account?.firstName ?? '', account?.lastName ?? ''];
    const accepted = await this.database.first<Accepted>(acceptInvitation, [
      tokenHash,
      invitationId ?? null,
      uuidv7(),
      passwordHash,
      ...names,
    ]);
    if (!accepted) throw new InvitationNotFound();
    this.attempts.succeed('token', { source: client.address });
    return accepted;
  }

  /** The hash for the account to make; null where none is made. No transaction is held while it is worked out. */
  private async hashFor(tokenHash: string | null, password: string | undefined): Promise<string | null> {
    if (tokenHash === null || password === undefined) return null;
    const invited = await this.database.separately(() =>
      this.database.first<Invited>('SELECT * FROM app.invitation_address($1)', [tokenHash]),
    );
    if (!invited) throw new InvitationNotFound();
    if (invited.isProven) return null;
    this.passwords.assertAcceptable(password, invited.email, 'account.password');
    return this.passwords.hash(password);
  }
}

const acceptInvitation = `
  SELECT invitation_id, user_id, clinic_id, organisation_id, coalesce(clinic_role::text, organisation_role::text) AS role
    FROM app.accept_invitation($1, $2, $3, $4, $5, $6)`;
