import { Global, Module } from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, DiscoveryModule } from '@nestjs/core';
import { Idempotency } from '../http/idempotency.js';
import { AccessTokens } from './access-tokens.js';
import { Database } from './database.js';
import { RouteDeclarations } from './route-declarations.js';
import { TenancyGuard } from './tenancy.guard.js';
import { TransactionInterceptor } from './transaction.interceptor.js';
import { Transactions } from './transactions.js';

/** Who is asking, and the one door to the data. */
@Global()
@Module({
  imports: [DiscoveryModule],
  providers: [
    AccessTokens,
    Database,
    Idempotency,
    RouteDeclarations,
    Transactions,
    { provide: APP_GUARD, useClass: TenancyGuard },
    { provide: APP_INTERCEPTOR, useClass: TransactionInterceptor },
  ],
  exports: [AccessTokens, Database, Transactions],
})
export class TenancyModule {}
