import { Injectable } from '@nestjs/common';
import { declareSealedColumn } from '../../../kernel/secrets/sealed-columns.js';
import { Vault } from '../../../kernel/secrets/vault.js';

/** Where the token of a page rests: with the connection, or with the account of a doctor that is linked with the page. */
export type TokenHolder = 'connection' | 'doctor';

const columns = {
  connection: { table: 'public.messenger_connections', column: 'page_access_token_sealed' },
  doctor: { table: 'public.doctor_instagram', column: 'instagram_access_token_sealed' },
  pending: { table: 'public.messenger_pending_connections', column: 'access_token_sealed' },
};
declareSealedColumn({ ...columns.connection, resealedBy: 'app.reseal_connection_token' });
declareSealedColumn({ ...columns.doctor, idColumn: 'doctor_id', resealedBy: 'app.reseal_instagram_token' });
declareSealedColumn(columns.pending);

/** The tokens at rest, sealed and opened here alone, for the length of a call; no route ever answers one. */
@Injectable()
export class MessengerTokens {
  constructor(private readonly vault: Vault) {}

  /** @param rowId a connection's `id`, or a doctor's `doctor_id` */
  sealPage(holder: TokenHolder, rowId: string, token: string): string {
    return this.vault.seal(token, { ...columns[holder], rowId });
  }

  /** @throws SealBroken for one that was sealed under a key that is lost, or for another row */
  openPage(holder: TokenHolder, rowId: string, sealed: string): string {
    return this.vault.open(sealed, { ...columns[holder], rowId });
  }

  /** Of the person who consented, while they choose. */
  sealPending(choiceId: string, token: string): string {
    return this.vault.seal(token, { ...columns.pending, rowId: choiceId });
  }

  /** @throws SealBroken */
  openPending(choiceId: string, sealed: string): string {
    return this.vault.open(sealed, { ...columns.pending, rowId: choiceId });
  }
}
