import { Global, Module } from '@nestjs/common';
import { CONFIG, type Config } from '../config/config.js';
import { Cursors } from '../http/cursor.js';
import { deriveKey, parseKeyRing } from './key-ring.js';
import { Passwords } from './passwords.js';
import { Rotation } from './rotation.js';
import { Vault } from './vault.js';

@Global()
@Module({
  providers: [
    Passwords,
    Rotation,
    {
      provide: Vault,
      inject: [CONFIG],
      useFactory: (config: Config) => new Vault(parseKeyRing(config.secrets.vaultKeys)),
    },
    {
      provide: Cursors,
      inject: [CONFIG],
      useFactory: (config: Config) => new Cursors(deriveKey(config.secrets.appKey, 'cursors')),
    },
  ],
  exports: [Passwords, Rotation, Vault, Cursors],
})
export class SecretsModule {}
