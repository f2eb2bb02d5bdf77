import { Module } from '@nestjs/common';
import { CONFIG, type Config } from '../../kernel/config/config.js';
import { GoogleAccounts } from './google-accounts.js';
import { GoogleClient } from './google-client.js';
import { GoogleSpreadsheets } from './google-spreadsheets.js';

const usesClient = <Made>(make: new (client: GoogleClient) => Made) => ({
  provide: make,
  inject: [GoogleClient],
  useFactory: (client: GoogleClient) => new make(client),
});

@Module({
  providers: [
    { provide: GoogleClient, inject: [CONFIG], useFactory: ({ google }: Config) => new GoogleClient(google) },
    usesClient(GoogleAccounts),
    usesClient(GoogleSpreadsheets),
  ],
  exports: [GoogleAccounts, GoogleClient, GoogleSpreadsheets],
})
export class GoogleModule {}
